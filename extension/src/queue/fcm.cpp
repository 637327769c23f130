// Messages to FCM, and what its answers mean for the job and for the device's token.
#include "queue/fcm.hpp"

#include "json/slice.hpp"
#include "queue/object.hpp"

#include <algorithm>
#include <charconv>

#include "pg/pure.hpp"

namespace pulse::queue::fcm {

namespace {

constexpr long kLongestTtl = 28 * 24 * 3600;                // FCM's own bound
constexpr std::int64_t kQuotaPause = 60 * 1000;             // what FCM asks for after 429 without Retry-After
constexpr std::string_view kDead = R"({"tokenDead":true)";  // how the result of such an outcome begins

constexpr std::string_view kTargets[] = {"token", "topic", "condition"};
constexpr std::string_view kKnown[] = {"token", "topic",   "condition", "notification", "data",       "urgent", "collapseKey",
                                       "ttl",   "android", "apns",      "webpush",      "fcmOptions", "dryRun", "message"};

// FCM's data are strings only: numbers and booleans as their text, nested values as JSON.
std::string as_strings(const Object &data) {
    Object out;
    for (const auto &[key, value] : data.members()) {
        if (value == "null") continue;
        if (json::kind(value) == json::Kind::kString)
            out.put(key, value);
        else
            out.put_text(key, value);
    }
    return out.json();
}

// Seconds, as a number or like "90s".
std::optional<long> ttl_of(std::string_view raw) {
    std::string text(raw);
    if (json::kind(raw) == json::Kind::kString) {
        text = json::unescape(raw).value_or("");
        if (text.ends_with('s')) text.pop_back();
    }
    long seconds = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || stop != text.data() + text.size() || seconds < 0 || seconds > kLongestTtl) return std::nullopt;
    return seconds;
}

// What `urgent`, `collapseKey` and `ttl` mean to each platform. A message without notification is a silent one to iOS, which Apple takes
// with low priority only, and which must say so.
void put_platforms(Object &message, std::optional<bool> urgent, const std::optional<std::string> &collapse_key, std::optional<long> ttl,
                   std::int64_t now) {
    const bool silent = !message.raw("notification");
    Object android, apns_headers, webpush_headers, apns;
    if (urgent) {
        android.put_text("priority", *urgent ? "HIGH" : "NORMAL");
        apns_headers.put_text("apns-priority", *urgent && !silent ? "10" : "5");
        webpush_headers.put_text("Urgency", *urgent ? "high" : "normal");
    }
    if (collapse_key) {
        android.put_text("collapse_key", *collapse_key);
        apns_headers.put_text("apns-collapse-id", *collapse_key);
    }
    if (ttl) {
        android.put_text("ttl", std::to_string(*ttl) + "s");
        apns_headers.put_text("apns-expiration", *ttl == 0 ? "0" : std::to_string(now + *ttl));
        webpush_headers.put_text("TTL", std::to_string(*ttl));
    }
    if (!apns_headers.empty()) apns.put("headers", apns_headers.json());
    if (silent) apns.put("payload", R"({"aps":{"content-available":1}})");
    if (!android.empty()) message.put("android", android.json());
    if (!apns.empty()) message.put("apns", apns.json());
    if (!webpush_headers.empty()) message.put("webpush", Object().put("headers", webpush_headers.json()).json());
}

// The message, or one sentence of what is wrong with the arguments.
std::variant<Object, std::string> message_of(const Object &args, std::int64_t now) {
    if (std::string wrong = unknown_member(args, kKnown); !wrong.empty()) return wrong;
    if (args.raw("message")) {
        for (const std::string_view name : kKnown)
            if (name != "message" && name != "dryRun" && args.raw(name))
                return "args: message is sent as it is: " + std::string(name) + " belongs into it";
        const auto message = args.object("message");
        if (!message) return "args: message is no object";
        return *message;
    }
    Object message;
    int targets = 0;
    for (const std::string_view name : kTargets) {
        if (!args.raw(name)) continue;
        const auto target = args.text(name);
        if (!target || target->empty()) return "args: " + std::string(name) + " is no text";
        message.put_text(name, *target);
        ++targets;
    }
    if (targets != 1) return "args: exactly one of token, topic and condition says where the message goes";
    for (const std::string_view name : {"notification", "data", "android", "apns", "webpush", "fcmOptions"})
        if (args.raw(name) && !args.object(name)) return "args: " + std::string(name) + " is no object";
    if (const auto notification = args.raw("notification")) message.put("notification", *notification);
    if (const auto data = args.object("data")) message.put("data", as_strings(*data));
    std::optional<long> ttl;
    if (const auto raw = args.raw("ttl")) {
        ttl = ttl_of(*raw);
        if (!ttl) return "args: ttl is no number of seconds between 0 and 2419200";
    }
    if (args.raw("urgent") && !args.boolean("urgent")) return "args: urgent is neither true nor false";
    const auto collapse_key = args.text("collapseKey");
    if (args.raw("collapseKey") && (!collapse_key || collapse_key->size() > 64)) return "args: collapseKey is no text of up to 64 bytes";
    put_platforms(message, args.boolean("urgent"), collapse_key, ttl, now);
    for (const auto &[ours, theirs] :
         {std::pair{"android", "android"}, {"apns", "apns"}, {"webpush", "webpush"}, {"fcmOptions", "fcm_options"}})
        if (const auto own = args.object(ours)) message.merge(Object().put(theirs, own->json()));
    return message;
}

struct Refusal {
    std::string code, status, message;  // FCM's own error code, when there is one
};

Refusal read_error(std::string_view body) {
    Refusal out;
    const auto object = Object::parse(body);
    const auto error = object ? object->object("error") : std::nullopt;
    if (!error) return out;
    out.status = words(error->text("status").value_or(""), 60);
    out.message = words(error->text("message").value_or(""));
    const auto details = json::elements(error->raw("details").value_or("[]")).value_or(std::vector<std::string_view>{});
    for (const std::string_view one : details) {
        const auto detail = Object::parse(one);
        if (detail && detail->text("@type").value_or("").ends_with("google.firebase.fcm.v1.FcmError"))
            out.code = words(detail->text("errorCode").value_or(""), 60);
    }
    return out;
}

std::string describe(const Response &response, const Refusal &refusal) {
    std::string out = "FCM answered " + std::to_string(response.status);
    const std::string &name = refusal.code.empty() ? refusal.status : refusal.code;
    if (!name.empty()) out += ' ' + name;
    const std::string said = refusal.message.empty() && name.empty() ? words(response.body) : refusal.message;
    if (!said.empty()) out += ": " + said;
    return out;
}

}  // namespace

Built build(std::string_view args, const Settings &settings, std::string_view access_token, std::int64_t now) {
    const auto object = Object::parse(args);
    if (!object) return discard("args is no JSON object");
    if (object->raw("dryRun") && !object->boolean("dryRun")) return discard("args: dryRun is neither true nor false");
    auto message = message_of(*object, now);
    if (const auto *wrong = std::get_if<std::string>(&message)) return discard(*wrong);
    Object body;
    if (settings.dry_run || object->boolean("dryRun").value_or(false)) body.put("validate_only", "true");
    body.put("message", std::get<Object>(message).json());
    Request request;
    request.url = with_path(settings.url, "v1/projects/" + form_encoded(settings.project) + "/messages:send");
    request.headers = {"Content-Type: application/json", "Authorization: Bearer " + std::string(access_token)};
    request.secrets = {std::string(access_token)};
    request.body = body.json();
    return request;
}

Outcome judge(const Response &response, std::int64_t now) {
    if (response.status >= 200 && response.status < 300) {
        // Accepted, even when the rest of the answer was lost: to send it again would be to deliver it twice.
        Object result;
        const auto object = Object::parse(response.body);
        if (const auto name = object ? object->text("name") : std::nullopt) result.put_text("name", words(*name));
        return completed(result.json());
    }
    if (response.status == 0) return retry("FCM: " + words(response.failure));
    const Refusal refusal = read_error(response.body);
    const std::string why = describe(response, refusal);
    const auto after = retry_after_ms(response, now);
    // Only this code says that the token is dead: INVALID_ARGUMENT may be the payload's fault, a bare 404 the project's.
    if (refusal.code == "UNREGISTERED") return discard(why, std::string(kDead) + R"(,"errorCode":"UNREGISTERED"})");
    if (response.status == 429) return retry(why, after ? after : kQuotaPause);
    if (response.status >= 500 || response.status == 408) return retry(why, after);
    // The configuration's fault, which somebody may mend: the account, the project, its APNs key.
    if (response.status == 401 || response.status == 404 || (response.status == 403 && refusal.code != "SENDER_ID_MISMATCH") ||
        response.status < 400)
        return retry(why, after);
    return discard(why, Object().put_text("errorCode", refusal.code.empty() ? refusal.status : refusal.code).json());
}

bool token_refused(const Response &response) {
    return response.status == 401 && read_error(response.body).code != "THIRD_PARTY_AUTH_ERROR";
}

bool is_dead_token(const Outcome &outcome) {
    return outcome.what == Outcome::kDiscard && outcome.result_json && outcome.result_json->starts_with(kDead);
}

std::optional<std::string> device_token(std::string_view args) {
    const auto object = Object::parse(args);
    if (!object) return std::nullopt;
    const auto message = object->object("message");
    return message ? message->text("token") : object->text("token");
}

}  // namespace pulse::queue::fcm
