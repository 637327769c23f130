// What the files of secrets say. Each parser gives what it read or one sentence of what is wrong, which never quotes the file. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pulse::queue {

// A service account's key as Google's console gives it.
struct ServiceAccount {
    std::string project, email, key_id, private_key, token_url;
    bool operator==(const ServiceAccount &) const = default;
};

// {"accountSid", "authToken", "from"?, "messagingServiceSid"?}; with an API key also "apiKey" and "apiSecret".
struct SmsAccount {
    std::string account_sid, auth_token, from, messaging_service, api_key, api_secret;
    bool operator==(const SmsAccount &) const = default;
};

// Lines of secrets, or {"secrets": […], "hosts": {"scheme://name:port", "name:port" or "name": {"headers": {…}, "secrets": […], "kinds":
// […]}}}. Of several secrets each signs, so that receivers can change from one to the other.
struct WebhookSecrets {
    struct Host {
        std::vector<std::pair<std::string, std::string>> headers;
        std::vector<std::string> keys;   // as the HMAC takes them
        std::vector<std::string> kinds;  // for jobs of these, which the allow-list then does not bind; none: of all
    };
    std::vector<std::string> keys;
    std::map<std::string, Host, std::less<>> hosts;  // by the one spelling that host() looks for

    // The most exact of the hosts; name in lower case, without brackets. nullptr: there is none, or it is not for that kind.
    const Host *host(bool tls, std::string_view name, int port, std::string_view kind) const;
};

template <class T>
using Parsed = std::variant<T, std::string>;

Parsed<ServiceAccount> parse_service_account(std::string_view file);
Parsed<SmsAccount> parse_sms_account(std::string_view file);
Parsed<WebhookSecrets> parse_webhook_secrets(std::string_view file);

}  // namespace pulse::queue
