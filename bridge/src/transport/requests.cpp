#include "transport/requests.hpp"

#include <unordered_map>
#include <utility>
#include <vector>

#include "base/json.hpp"

namespace bridge::transport {

namespace {

constexpr std::size_t kMostCalls = 1'000;  // with bodies under way, waiting for SQL, or asked: anybody may ask anything

bool is_text(std::string_view text) { return json::valid_utf8(text) && text.find('\0') == std::string_view::npos; }

std::string_view word(http::Method method) {
    switch (method) {
        case http::Method::get: return "GET";
        case http::Method::head: return "HEAD";
        case http::Method::post: return "POST";
        case http::Method::put: return "PUT";
        case http::Method::patch: return "PATCH";
        case http::Method::del: return "DELETE";
        case http::Method::options: return "OPTIONS";
        case http::Method::other: break;
    }
    return "OTHER";
}

// Tokens were dealt with here; SQL sees whom they made, and neither functions nor logs see them.
bool is_secret(std::string_view header) {
    return header == "authorization" || header == "proxy-authorization" || header == "cookie" || header == "x-internal-token";
}

// Names in the order in which they came, each with one value. A head may hold thousands of them.
class Members {
public:
    // Its value, and whether it is new.
    std::pair<std::string *, bool> add(std::string_view name) {
        const auto [found, fresh] = at_.try_emplace(name, all_.size());
        if (fresh) all_.emplace_back(name, std::string());
        return {&all_[found->second].second, fresh};
    }
    std::string json() const {
        std::string out = "{";
        for (const auto &[name, value] : all_) {
            if (!is_text(name) || !is_text(value)) continue;
            if (out.size() > 1) out += ',';
            json::append_quoted(out, name);
            out += ':';
            json::append_quoted(out, value);
        }
        return out + '}';
    }

private:
    std::vector<std::pair<std::string_view, std::string>> all_;
    std::unordered_map<std::string_view, std::size_t> at_;
};

// Of several with one name the last counts (query), or all, joined as HTTP joins them (headers). What is no text is left out.
std::string request_json(const http::Request &request, std::string_view cursor) {
    Members query, headers;
    for (const auto &[name, value] : request.query) {
        if (name != "token") *query.add(name).first = value;
    }
    for (const auto &[name, value] : request.headers) {
        if (is_secret(name)) continue;
        const auto [joined, fresh] = headers.add(name);
        joined->append(fresh ? "" : ", ").append(value);
    }
    std::string out = R"({"query":)" + query.json() + R"(,"headers":)" + headers.json();
    out += R"(,"body":)" + json::quote(request.body) + R"(,"ip":)" + json::quote(request.ip);
    if (!cursor.empty()) out += R"(,"lastEventId":)" + json::quote(cursor);
    return out + '}';
}

}  // namespace

class Requests::Call final : public http::Watcher {
public:
    Call(Requests &all, http::Exchange &exchange, std::uint64_t number, bool internal_token)
        : all_(all), exchange_(&exchange), number_(number), internal_token_(internal_token) {
        exchange.watch(*this);
    }
    ~Call() override {
        if (exchange_ != nullptr) exchange_->unwatch();
    }
    Call(const Call &) = delete;
    Call &operator=(const Call &) = delete;

    void complete(http::Exchange &) override { all_.ask(*this); }
    void gone(http::Exchange &) override {
        exchange_ = nullptr;
        all_.calls_.erase(number_);
    }

    http::Exchange &exchange() { return *exchange_; }
    http::Exchange &release() {  // and it is over
        http::Exchange &exchange = *std::exchange(exchange_, nullptr);
        exchange.unwatch();
        return exchange;
    }
    std::uint64_t number() const { return number_; }
    bool internal_token() const { return internal_token_; }

private:
    Requests &all_;
    http::Exchange *exchange_;
    const std::uint64_t number_;
    const bool internal_token_;
};

Requests::Requests(handlers::Services &services, Sse &sse, std::string internal_token)
    : services_(services), sse_(sse), internal_token_(std::move(internal_token)) {}
Requests::~Requests() = default;

void Requests::request(http::Exchange &exchange) {
    const http::Request &request = exchange.request();
    const bool internal_path = request.path == "/internal" || request.path.starts_with("/internal/");
    const bool internal_token =
        exchange.internal() && !internal_token_.empty() && auth::constant_time_equal(request.header("x-internal-token"), internal_token_);
    if (internal_path && !exchange.internal()) return exchange.respond(failure(Error{Errc::not_found, "no such path"}));
    if (internal_path && !internal_token) {
        return exchange.respond(failure(Error{Errc::unauthenticated, "X-Internal-Token is missing or wrong"}));
    }
    if (!is_text(request.path)) return exchange.respond(failure(Error{Errc::bad_request, "the path is no UTF-8 text"}));
    if (calls_.size() >= kMostCalls) return exchange.respond(failure(Error{Errc::unavailable, "the server is too busy, try again", {}, 1}));
    const std::uint64_t number = ++last_number_;
    calls_.emplace(number, std::make_unique<Call>(*this, exchange, number, internal_token));
}

void Requests::ask(Call &call) {
    const http::Request &request = call.exchange().request();
    if (!is_text(request.body)) {
        const std::uint64_t number = call.number();
        call.release().respond(failure(Error{Errc::bad_request, "the body is no UTF-8 text"}));
        calls_.erase(number);
        return;
    }
    handlers::RequestGate::Question question;
    question.method = word(request.method);
    question.path = request.path;
    question.cursor = last_event_id(request);
    question.request = request_json(request, question.cursor);

    ClaimsPtr claims;
    std::string problem;
    if (const std::string token = token_of(request); !token.empty()) {
        auto verified = handlers::authenticate(services_, token);
        if (verified) {
            claims = std::move(*verified);
        } else {
            problem = verified.error().detail;
        }
    }
    question.context = handlers::context(claims.get(), asker(request, "http"), {});
    question.context.pop_back();
    question.context += std::string(R"(,"internal":)") + (call.exchange().internal() ? "true" : "false");
    question.context += std::string(R"(,"internalToken":)") + (call.internal_token() ? "true" : "false");
    if (!problem.empty()) question.context += R"(,"authError":)" + json::quote(problem);
    question.context += '}';
    question.claims = claims ? std::move(claims) : std::make_shared<const Claims>();

    auto gate = std::make_unique<handlers::RequestGate>(services_, std::move(question));
    handlers::RequestGate &asked = *gate;
    const auto kept = std::make_shared<std::unique_ptr<handlers::Gate>>(std::move(gate));
    asked.ask(true, [this, number = call.number(), kept](Result<handlers::Grant> grant, const std::string &correlation_id) {
        answered(number, std::move(*kept), std::move(grant), correlation_id);
    });
}

void Requests::answered(std::uint64_t number, std::unique_ptr<handlers::Gate> gate, Result<handlers::Grant> grant,
                        const std::string &correlation_id) {
    const auto found = calls_.find(number);
    if (found == calls_.end()) return;  // the client went
    http::Exchange &exchange = found->second->release();
    calls_.erase(found);
    if (!grant) return exchange.respond(failure(grant.error(), correlation_id));
    if (exchange.request().has_body) {
        return exchange.respond(failure(Error{Errc::bad_request, "an event stream is opened without a body"}, correlation_id));
    }
    sse_.serve(exchange, std::move(gate), std::move(*grant));
}

}  // namespace bridge::transport
