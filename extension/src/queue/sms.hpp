// Delivery channel sms: the Messages resource of Twilio's REST API, which other providers offer too. Pure. docs/reference/sms.md
// describes the arguments.
#pragma once

#include "queue/channel.hpp"
#include "queue/secrets.hpp"

namespace pulse::queue::sms {

struct Provider {
    std::string url;  // https://api.twilio.com
    SmsAccount account;
};

// status_url: where the provider reports what becomes of the message, "": nowhere.
Built build(const Attempt &attempt, std::string_view args, const Provider &provider, std::string_view status_url);
Outcome judge(const Response &response, std::string_view args, std::int64_t now);
// The provider did not take it, and surely does not send it: another one may.
bool another_may(const Response &response);

// Where reports about this job are to come: part of what the provider signs.
std::string report_url(std::string_view status_url, std::string_view job);

// E.164: + and 7 to 15 digits, the first of them not 0.
bool is_number(std::string_view text);
// X-Twilio-Signature of a request of the provider's: `parameters` is the body as it came, a form.
bool signature_matches(std::string_view auth_token, std::string_view url, std::string_view form, std::string_view signature);
// A form's parameters in the order they came.
std::vector<std::pair<std::string, std::string>> parse_form(std::string_view form);

}  // namespace pulse::queue::sms
