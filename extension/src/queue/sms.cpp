// Forms to the provider, its answers, and the signatures of its reports.
#include "queue/sms.hpp"

#include "json/slice.hpp"
#include "queue/object.hpp"
#include "queue/segments.hpp"
#include "queue/sign.hpp"

#include <algorithm>

#include "pg/pure.hpp"

namespace pulse::queue::sms {

namespace {

constexpr int kLongestBody = 1600;  // the provider's bound
constexpr std::string_view kKnown[] = {"to", "body", "from", "messagingServiceSid", "validitySeconds", "mediaUrl"};

// Codes of a 400 that speak of this account's right to send there or under that name, not of the number.
constexpr long kAccountCodes[] = {21212, 21408, 21603, 21606, 21612, 21659, 21660, 21703};

class Form {
public:
    void add(std::string_view name, std::string_view value) {
        if (!text_.empty()) text_ += '&';
        text_.append(name).append("=").append(form_encoded(value));
    }
    const std::string &text() const { return text_; }

private:
    std::string text_;
};

std::string decode(std::string_view text) {
    std::string out;
    const auto digit = [](char c) {
        return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
    };
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '+') {
            out += ' ';
        } else if (text[at] == '%' && at + 2 < text.size() && digit(text[at + 1]) >= 0 && digit(text[at + 2]) >= 0) {
            out += static_cast<char>(digit(text[at + 1]) * 16 + digit(text[at + 2]));
            at += 2;
        } else {
            out += text[at];
        }
    }
    return out;
}

// What is wrong with the arguments; empty: nothing.
std::string check(const Object &args) {
    if (std::string wrong = unknown_member(args, kKnown); !wrong.empty()) return wrong;
    if (!is_number(args.text("to").value_or(""))) return "args: to is no phone number in E.164, like +14155550123";
    const auto body = args.text("body");
    if (!body || body->empty()) return "args: body is no text";
    if (segments(*body).characters > kLongestBody) return "args: body has more than 1600 characters";
    for (const std::string_view name : {"from", "messagingServiceSid", "mediaUrl"})
        if (args.raw(name) && args.text(name).value_or("").empty()) return "args: " + std::string(name) + " is no text";
    const long validity = args.whole("validitySeconds").value_or(0);
    if (args.raw("validitySeconds") && (validity < 1 || validity > 36000)) return "args: validitySeconds is not between 1 and 36000";
    return {};
}

struct Refusal {
    long code = 0;
    std::string message;
};

Refusal read_error(const Response &response) {
    const auto object = Object::parse(response.body);
    if (!object) return {0, words(response.body)};
    return {object->whole("code").value_or(0), words(object->text("message").value_or(""))};
}

}  // namespace

std::string report_url(std::string_view status_url, std::string_view job) {
    const char *joint = status_url.find('?') == std::string_view::npos ? "?" : "&";
    return std::string(status_url).append(joint).append("job=").append(job);
}

bool is_number(std::string_view text) {
    if (text.size() < 8 || text.size() > 16 || text[0] != '+' || text[1] == '0') return false;
    return std::all_of(text.begin() + 1, text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Built build(const Attempt &attempt, std::string_view args, const Provider &provider, std::string_view status_url) {
    const auto object = Object::parse(args);
    if (!object) return discard("args is no JSON object");
    if (std::string wrong = check(*object); !wrong.empty()) return discard(std::move(wrong));
    const SmsAccount &account = provider.account;
    Form form;
    form.add("To", *object->text("to"));
    const std::string from = object->text("from").value_or(account.from);
    const std::string service = object->text("messagingServiceSid").value_or(account.messaging_service);
    // What the job says comes before what the account's file says.
    if (!service.empty() && (object->raw("messagingServiceSid") || !object->raw("from")))
        form.add("MessagingServiceSid", service);
    else if (!from.empty())
        form.add("From", from);
    else
        return retry("neither the job nor the provider's file says from whom the message comes");
    form.add("Body", *object->text("body"));
    if (const auto media = object->text("mediaUrl")) form.add("MediaUrl", *media);
    if (const auto validity = object->whole("validitySeconds")) form.add("ValidityPeriod", std::to_string(*validity));
    if (!status_url.empty()) form.add("StatusCallback", report_url(status_url, std::to_string(attempt.id)));
    const bool key = !account.api_key.empty();
    const std::string login = (key ? account.api_key : account.account_sid) + ':' + (key ? account.api_secret : account.auth_token);
    Request request;
    request.url = with_path(provider.url, "2010-04-01/Accounts/" + account.account_sid + "/Messages.json");
    request.headers = {"Content-Type: application/x-www-form-urlencoded", "Authorization: Basic " + base64(login)};
    request.secrets = {base64(login), account.auth_token, account.api_secret};
    request.body = form.text();
    return request;
}

Outcome judge(const Response &response, std::string_view args, std::int64_t now) {
    if (response.status >= 200 && response.status < 300) {
        // Taken, even when the rest of the answer was lost: to send it again would be to bill and deliver it twice.
        const auto sent = Object::parse(args);
        const Segments size = segments(sent ? sent->text("body").value_or("") : "");
        Object result;
        if (const auto object = Object::parse(response.body)) {
            if (const auto sid = object->text("sid")) result.put_text("sid", words(*sid, 64));
            if (const auto status = object->text("status")) result.put_text("status", words(*status, 40));
        }
        result.put_number("segments", size.count).put_text("encoding", size.gsm7 ? "GSM-7" : "UCS-2");
        return completed(result.json());
    }
    if (const auto outcome = judge_transport(response, "the SMS provider", now)) return *outcome;
    const Refusal refusal = read_error(response);
    std::string why = "the SMS provider answered " + std::to_string(response.status);
    if (refusal.code != 0) why += " with code " + std::to_string(refusal.code);
    if (!refusal.message.empty()) why += ": " + refusal.message;
    const bool account = std::find(std::begin(kAccountCodes), std::end(kAccountCodes), refusal.code) != std::end(kAccountCodes);
    if (response.status == 400 && !account) return discard(std::move(why), Object().put_number("errorCode", refusal.code).json());
    return retry(std::move(why), retry_after_ms(response, now));
}

bool another_may(const Response &response) {
    if (response.status >= 200 && response.status < 300) return false;
    if (response.status == 0) return !response.sent;
    if (response.status != 400) return true;
    const long code = read_error(response).code;
    return std::find(std::begin(kAccountCodes), std::end(kAccountCodes), code) != std::end(kAccountCodes);
}

std::vector<std::pair<std::string, std::string>> parse_form(std::string_view form) {
    std::vector<std::pair<std::string, std::string>> out;
    while (!form.empty()) {
        const std::size_t end = std::min(form.find('&'), form.size());
        const std::string_view one = form.substr(0, end);
        form.remove_prefix(std::min(end + 1, form.size()));
        const std::size_t equals = std::min(one.find('='), one.size());
        if (!one.empty()) out.emplace_back(decode(one.substr(0, equals)), decode(one.substr(std::min(equals + 1, one.size()))));
    }
    return out;
}

bool signature_matches(std::string_view auth_token, std::string_view url, std::string_view form, std::string_view signature) {
    auto parameters = parse_form(form);
    std::sort(parameters.begin(), parameters.end());
    parameters.erase(std::unique(parameters.begin(), parameters.end()), parameters.end());
    std::string text(url);
    for (const auto &[name, value] : parameters) text.append(name).append(value);
    return !auth_token.empty() && same_bytes(base64(hmac_sha1(auth_token, text)), signature);
}

}  // namespace pulse::queue::sms
