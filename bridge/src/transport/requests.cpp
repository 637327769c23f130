#include "transport/requests.hpp"

#include <unordered_map>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "http/head.hpp"

namespace bridge::transport {

namespace {

constexpr std::size_t kMostCalls = 1'000;  // with bodies under way, waiting for SQL, or asked: anybody may ask anything

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
            if (!http::is_text(name) || !http::is_text(value)) continue;
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

http::Reply reply_of(db::Response response) {
    http::Reply reply;
    reply.status = response.status;
    if (!response.body || !response.json) reply.content_type.clear();
    if (response.body) reply.body = std::move(*response.body);
    for (auto &[name, value] : response.headers) {
        if (http::same_word(name, "content-type")) {
            reply.content_type = std::move(value);
        } else {
            reply.headers.emplace_back(std::move(name), std::move(value));
        }
    }
    return reply;
}

}  // namespace

class Requests::Call final : public http::Watcher {
public:
    Call(Requests &all, http::Exchange &exchange, std::uint64_t number, bool internal_token, Clock::time_point began)
        : all_(all), exchange_(&exchange), number_(number), internal_token_(internal_token), began_(began) {
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
    Clock::time_point began() const { return began_; }

private:
    Requests &all_;
    http::Exchange *exchange_;
    const std::uint64_t number_;
    const bool internal_token_;
    const Clock::time_point began_;
};

Requests::Requests(handlers::Services &services, Sse &sse, std::vector<std::string> internal_tokens)
    : services_(services), sse_(sse), internal_tokens_(std::move(internal_tokens)) {}
Requests::~Requests() = default;

void Requests::request(http::Exchange &exchange) {
    const Clock::time_point now = Clock::now();
    const http::Request &request = exchange.request();
    const bool internal_path = request.path == "/internal" || request.path.starts_with("/internal/");
    const bool internal_token = exchange.internal() && internal_tokens_.know(request.header("x-internal-token"));
    const auto refuse = [&](const Error &error) { respond(exchange, failure(error), {now, {}, {}}); };
    if (internal_path && !exchange.internal()) return refuse({Errc::not_found, "no such path"});
    if (internal_path && !internal_token) return refuse({Errc::unauthenticated, "X-Internal-Token is missing or wrong"});
    if (calls_.size() >= kMostCalls) return refuse({Errc::unavailable, "the server is too busy, try again", {}, 1});
    const std::uint64_t number = ++last_number_;
    calls_.emplace(number, std::make_unique<Call>(*this, exchange, number, internal_token, now));
}

void Requests::ask(Call &call, bool waited) {
    const http::Request &request = call.exchange().request();
    if (!http::is_text(request.body)) {
        const auto kept = std::move(calls_.extract(call.number()).mapped());
        const Measured measured{kept->began(), {}, {}};
        return respond(kept->release(), failure(Error{Errc::bad_request, "the body is no UTF-8 text"}), measured);
    }
    const std::string token = token_of(request);
    const auto again = [this, number = call.number()] {
        if (const auto found = calls_.find(number); found != calls_.end()) ask(*found->second, true);
    };
    if (!waited && handlers::await_key(services_, token, again)) return;

    handlers::RequestGate::Question question;
    question.method = word(request.method);
    question.path = request.path;
    question.cursor = last_event_id(request);
    question.request = request_json(request, question.cursor);
    question.correlation_id = correlation_id(request);

    ClaimsPtr claims;
    Error problem{Errc::unauthenticated};
    if (!token.empty()) {
        auto verified = handlers::authenticate(services_, token);
        if (verified) {
            claims = std::move(*verified);
        } else {
            problem = verified.error();
        }
    }
    const handlers::Asker who = asker(request, "http");
    question.context = handlers::context(claims.get(), who, {});
    question.traceparent = who.traceparent;
    question.context.pop_back();
    question.context += std::string(R"(,"internal":)") + (call.exchange().internal() ? "true" : "false");
    question.context += std::string(R"(,"internalToken":)") + (call.internal_token() ? "true" : "false");
    if (!problem.detail.empty()) {
        question.context += R"(,"authError":)" + json::quote(problem.detail) + R"(,"authReason":)" + json::quote(problem.reason);
    }
    question.context += '}';
    question.claims = claims ? std::move(claims) : std::make_shared<const Claims>();

    auto gate = std::make_unique<handlers::RequestGate>(services_, std::move(question));
    handlers::RequestGate &asked = *gate;
    const auto kept = std::make_shared<std::unique_ptr<handlers::Gate>>(std::move(gate));
    asked.open(true, [this, number = call.number(), kept](handlers::RequestGate::Opened opened) {
        answered(number, std::move(*kept), std::move(opened));
    });
}

void Requests::answered(std::uint64_t number, std::unique_ptr<handlers::Gate> gate, handlers::RequestGate::Opened opened) {
    const auto found = calls_.find(number);
    if (found == calls_.end()) return;  // the client went
    http::Exchange &exchange = found->second->release();
    const Measured measured{found->second->began(), std::move(opened.method), std::move(opened.path)};
    calls_.erase(found);
    if (!opened.what) return respond(exchange, failure(opened.what.error(), opened.correlation_id), measured);
    if (auto *response = std::get_if<db::Response>(&*opened.what)) {
        http::Reply reply = reply_of(std::move(*response));
        reply.headers.emplace_back("X-Correlation-Id", opened.correlation_id);
        return respond(exchange, std::move(reply), measured);
    }
    if (exchange.request().has_body) {
        const Error error{Errc::bad_request, "an event stream is opened without a body"};
        return respond(exchange, failure(error, opened.correlation_id), measured);
    }
    count(measured, 200);
    sse_.serve(exchange, std::move(gate), std::get<handlers::Grant>(*std::move(opened.what)));
}

void Requests::count(const Measured &measured, int status) {
    if (!measured.path.empty()) services_.metrics.know_route(measured.path);
    const std::chrono::duration<double> took = Clock::now() - measured.began;
    services_.metrics.http_requests(measured.path, measured.method, status).Observe(took.count());
}

void Requests::respond(http::Exchange &exchange, http::Reply reply, const Measured &measured) {
    count(measured, reply.status);
    exchange.respond(std::move(reply));
}

}  // namespace bridge::transport
