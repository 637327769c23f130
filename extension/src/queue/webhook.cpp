// Requests to other people's servers, and what their answers mean.
#include "queue/webhook.hpp"

#include "json/slice.hpp"
#include "queue/object.hpp"
#include "queue/sign.hpp"

#include <algorithm>
#include <charconv>

#include "pg/pure.hpp"

namespace pulse::queue::webhook {

namespace {

constexpr std::string_view kMethods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
constexpr std::string_view kKnown[] = {"url", "method", "headers", "body", "text", "contentType", "sign", "final", "keep"};
// What the transfer itself says, and what receivers must be able to rely on.
constexpr std::string_view kOurs[] = {
    "host",    "content-length", "transfer-encoding", "connection",   "expect",     "upgrade",           "te",
    "trailer", "keep-alive",     "proxy-connection",  "content-type", "webhook-id", "webhook-timestamp", "webhook-signature"};

template <class List, class One>
bool has(const List &list, const One &one) {
    return std::find(std::begin(list), std::end(list), one) != std::end(list);
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char &c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

bool is_header_name(std::string_view name) {
    return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

// The id stays the same for all attempts: receivers know a repetition by it.
void sign(Request &request, std::int64_t job, const std::vector<std::string> &keys, std::int64_t now) {
    const std::string id = "job_" + std::to_string(job), time = std::to_string(now);
    std::string signatures;
    for (const std::string &key : keys) {
        if (!signatures.empty()) signatures += ' ';
        signatures += "v1," + base64(hmac_sha256(key, id + '.' + time + '.' + request.body));
    }
    request.headers.push_back("webhook-id: " + id);
    request.headers.push_back("webhook-timestamp: " + time);
    if (!signatures.empty()) request.headers.push_back("webhook-signature: " + signatures);
}

// Reads what they say of the answer; a sentence of what is wrong with it, or nothing.
std::string agree(Terms &terms, const Object &args) {
    if (const auto listed = args.raw("final")) {
        static constexpr const char *kWrong = "args: final is no list of statuses from 300 to 599";
        const auto elements = json::elements(*listed);
        if (!elements) return kWrong;
        for (const std::string_view element : *elements) {
            int status = 0;
            const auto [stop, error] = std::from_chars(element.data(), element.data() + element.size(), status);
            if (error != std::errc() || stop != element.data() + element.size() || status < 300 || status > 599) return kWrong;
            terms.final.push_back(status);
        }
    }
    if (args.raw("keep")) {
        const auto keep = args.whole("keep");
        if (!keep || *keep < 0 || *keep > Terms::kMostKept) return "args: keep is no number of bytes up to 65536";
        terms.keep = static_cast<std::size_t>(*keep);
    }
    return {};
}

// Adds the arguments' headers and body; a sentence of what is wrong with them, or nothing.
std::string fill(Request &request, const Object &args) {
    if (std::string wrong = unknown_member(args, kKnown); !wrong.empty()) return wrong;
    request.method = args.text("method").value_or("POST");
    if (!has(kMethods, request.method)) return "args: method is none of GET, POST, PUT, PATCH and DELETE";
    if (args.raw("headers") && !args.object("headers")) return "args: headers is no object";
    const Object headers = args.object("headers").value_or(Object{});
    for (const auto &[name, value] : headers.members()) {
        const auto text = json::unescape(value);
        if (!is_header_name(name) || !text || !fits_header(*text)) return "args: a header is no line of text";
        if (has(kOurs, lower(name))) return "args: the header " + name + " is not the job's to set";
        request.headers.push_back(name + (text->empty() ? ";" : ": ") + *text);  // libcurl's way to say an empty one
    }
    if (args.raw("body") && args.raw("text")) return "args: there is body or text, not both";
    if (args.raw("text") && !args.text("text")) return "args: text is no text";
    const auto type = args.text("contentType");
    if (args.raw("contentType") && (!type || type->empty() || !fits_header(*type))) return "args: contentType is no line of text";
    if (request.method == "GET" && (args.raw("body") || args.raw("text"))) return "args: a GET has no body";
    request.body = args.raw("text") ? *args.text("text") : std::string(args.raw("body").value_or(""));
    if (request.method != "GET")
        request.headers.push_back("Content-Type: " + type.value_or(args.raw("text") ? "text/plain; charset=utf-8" : "application/json"));
    if (args.raw("sign") && !args.boolean("sign")) return "args: sign is neither true nor false";
    return {};
}

}  // namespace

std::optional<Url> parse_url(std::string_view text) {
    Url url{};
    const std::size_t colons = text.find("://");
    if (colons == std::string_view::npos) return std::nullopt;
    const std::string scheme = lower(text.substr(0, colons));
    if (scheme != "http" && scheme != "https") return std::nullopt;
    url.tls = scheme == "https";
    // A backslash or a control character is read one way here and another way there.
    if (text.size() > 8000 ||
        std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7F || c == '\\'; }))
        return std::nullopt;
    std::string_view authority = text.substr(scheme.size() + 3);
    authority = authority.substr(0, authority.find_first_of("/?#"));
    if (authority.find('@') != std::string_view::npos) return std::nullopt;
    std::size_t colon = authority.rfind(':');
    if (authority.starts_with('[')) {
        const std::size_t end = authority.find(']');
        if (end == std::string_view::npos || !parse_address(authority.substr(0, end + 1))) return std::nullopt;
        url.host = authority.substr(1, end - 1);
        if (end + 1 != authority.size() && authority[end + 1] != ':') return std::nullopt;
        colon = end + 1 == authority.size() ? std::string_view::npos : end + 1;
    } else {
        url.host = authority.substr(0, colon);
        // Names of other alphabets as punycode: what nobody can read in two ways.
        if (!std::all_of(url.host.begin(), url.host.end(), [](char c) {
                return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
            }))
            return std::nullopt;
    }
    url.port = url.tls ? 443 : 80;
    if (colon != std::string_view::npos) {
        const std::string_view digits = authority.substr(colon + 1);
        const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
        if (digits.empty() || error != std::errc() || stop != digits.data() + digits.size() || url.port < 1 || url.port > 65535)
            return std::nullopt;
    }
    if (url.host.empty()) return std::nullopt;
    return url;
}

Order build(const Attempt &attempt, std::string_view args, const AllowList &allow, const WebhookSecrets &secrets, std::int64_t now) {
    const auto refused = [](std::string why) { return Order{discard(std::move(why)), {}}; };
    const auto object = Object::parse(args);
    if (!object) return refused("args is no JSON object");
    Request request;
    request.url = object->text("url").value_or("");
    const auto url = parse_url(request.url);
    if (!url) return refused("args: url is no address of http or https, without user and password");
    const WebhookSecrets::Host *host = secrets.host(url->tls, lower(url->host), url->port, attempt.kind);
    // Whoever wrote a host into the file for certain kinds of jobs wants them to go there, wherever it is.
    request.guarded = host == nullptr || host->kinds.empty();
    if (request.guarded && !allow.may_ask(url->host, url->port))
        return refused("host " + words(url->host, 260) + " is not among those that pulse.webhook_allow names");
    if (std::string wrong = fill(request, *object); !wrong.empty()) return refused(std::move(wrong));
    Terms terms;
    if (std::string wrong = agree(terms, *object); !wrong.empty()) return refused(std::move(wrong));
    if (attempt.traceparent && fits_header(*attempt.traceparent)) request.headers.push_back("traceparent: " + *attempt.traceparent);
    if (object->boolean("sign").value_or(true))
        sign(request, attempt.id, host != nullptr && !host->keys.empty() ? host->keys : secrets.keys, now);
    if (host != nullptr)
        for (const auto &[name, value] : host->headers) {
            request.headers.push_back(name + (value.empty() ? ";" : ": ") + value);
            request.secrets.push_back(value);
        }
    return {std::move(request), std::move(terms)};
}

Outcome judge(const Response &response, const Terms &terms, std::int64_t now) {
    const bool done = response.status >= 200 && response.status < 300;
    Object result;
    result.put_number("status", response.status);
    if (done) {
        const std::string body = response.whole ? as_json(response.body, terms.keep) : json::quoted(words(response.body, terms.keep));
        result.put("body", body);
        if (!response.whole) result.put("cut", "true");
        return completed(result.json());
    }
    if (response.refused) return discard("the receiver: " + response.failure);
    const bool is_final = response.status == 410 || has(terms.final, response.status);
    if (!is_final)
        if (const auto outcome = judge_transport(response, "the receiver", now)) return *outcome;
    std::string why = "the receiver answered " + std::to_string(response.status);
    if (response.status >= 300 && response.status < 400) why += ", and redirects are not followed";
    if (const std::string said = words(response.body); !said.empty()) why += ": " + said;
    // Gone is meant for good. Anything else may be a receiver that is just being put up or mended, unless the job knows better.
    if (is_final) return discard(std::move(why), result.json());
    return retry(std::move(why), retry_after_ms(response, now));
}

}  // namespace pulse::queue::webhook
