// Parsers of the files of secrets.
#include "queue/secrets.hpp"

#include "json/slice.hpp"
#include "queue/address.hpp"
#include "queue/channel.hpp"
#include "queue/object.hpp"
#include "queue/sign.hpp"
#include "queue/webhook.hpp"

#include <algorithm>

#include "pg/pure.hpp"

namespace pulse::queue {

namespace {

constexpr std::size_t kLeastKey = 16;

// "whsec_" and base64, as receivers of Standard Webhooks have it, or the text itself.
std::optional<std::string> key_of(std::string_view text) {
    constexpr std::string_view kPrefix = "whsec_";
    std::optional<std::string> key = std::string(text);
    if (text.starts_with(kPrefix)) key = base64_decoded(text.substr(kPrefix.size()));
    if (!key || key->size() < kLeastKey) return std::nullopt;
    return key;
}

constexpr const char *kBadKey = "a secret in it has fewer than 16 bytes, or is no base64 after whsec_";

bool read_keys(const Object &from, std::vector<std::string> &to) {
    const auto listed = from.raw("secrets");
    if (!listed) return true;
    const auto elements = json::elements(*listed);
    if (!elements) return false;
    for (const std::string_view element : *elements) {
        const auto text = json::unescape(element);
        const auto key = text ? key_of(*text) : std::nullopt;
        if (!key) return false;
        to.push_back(*key);
    }
    return true;
}

bool read_kinds(const Object &from, std::vector<std::string> &to) {
    const auto listed = from.raw("kinds");
    if (!listed) return true;
    const auto elements = json::elements(*listed);
    if (!elements || elements->empty()) return false;
    for (const std::string_view element : *elements) {
        const auto kind = json::unescape(element);
        if (!kind) return false;
        to.push_back(*kind);
    }
    return true;
}

// IPv6 in brackets, however it was written.
std::string in_brackets(std::string_view name) {
    if (name.find(':') == std::string_view::npos) return std::string(name);
    const auto address = parse_address(name);
    return "[" + (address ? text_of(*address) : std::string(name)) + "]";
}

// As host() looks for it: in lower case, an origin with its port, so that no two entries are for the same. Nothing when there is more to it
// than scheme, name and port.
std::optional<std::string> host_key(std::string_view text) {
    std::string lower(text);
    for (char &c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    std::string scheme, name = lower;
    for (const char *known : {"http://", "https://"})
        if (lower.starts_with(known)) scheme = known, name = lower.substr(scheme.size());
    if (name.find_first_of("/?#") != std::string::npos) return std::nullopt;
    if (name.find(':') != std::string::npos && !name.starts_with('[') && parse_address(name)) name = "[" + name + "]";
    const auto url = webhook::parse_url((scheme.empty() ? "http://" : scheme) + name), by_tls = webhook::parse_url("https://" + name);
    if (!url || !by_tls) return std::nullopt;
    const bool any_port = scheme.empty() && url->port != by_tls->port;  // the two schemes' own ports: it says none
    return scheme + in_brackets(url->host) + (any_port ? "" : ":" + std::to_string(url->port));
}

Parsed<WebhookSecrets> parse_webhook_object(const Object &object) {
    WebhookSecrets secrets;
    if (!read_keys(object, secrets.keys)) return kBadKey;
    if (!object.raw("hosts")) return secrets;
    const auto hosts = json::members(*object.raw("hosts"));
    if (!hosts) return "its hosts are no object";
    for (const auto &[name, value] : *hosts) {
        const auto described = Object::parse(value);
        if (!described) return "one of its hosts is no object";
        WebhookSecrets::Host host;
        if (!read_keys(*described, host.keys)) return kBadKey;
        if (!read_kinds(*described, host.kinds)) return "the kinds of one of its hosts are no list of texts";
        const auto headers = described->object("headers").value_or(Object{});
        for (const auto &[header, text] : headers.members()) {
            const auto content = json::unescape(text);
            if (!content || !fits_header(*content) || !fits_header(header) || header.find(':') != std::string::npos)
                return "a header in it is no line of text";
            host.headers.emplace_back(header, *content);
        }
        const auto key = host_key(name);
        if (!key) return "one of its hosts is none: a name, name:port, or scheme://name:port";
        if (!secrets.hosts.emplace(*key, std::move(host)).second) return "two of its hosts are the same one";
    }
    return secrets;
}

}  // namespace

const WebhookSecrets::Host *WebhookSecrets::host(bool tls, std::string_view name, int port, std::string_view kind) const {
    const std::string plain = in_brackets(name), with_port = plain + ":" + std::to_string(port);
    auto found = hosts.end();
    for (const std::string &key : {(tls ? "https://" : "http://") + with_port, with_port, plain})
        if (found == hosts.end()) found = hosts.find(key);
    if (found == hosts.end()) return nullptr;
    const Host &host = found->second;
    if (!host.kinds.empty() && std::find(host.kinds.begin(), host.kinds.end(), kind) == host.kinds.end()) return nullptr;
    return &host;
}

Parsed<ServiceAccount> parse_service_account(std::string_view file) {
    const auto object = Object::parse(json::trim(file));
    if (!object) return "it is no JSON object";
    const ServiceAccount account{object->text("project_id").value_or(""), object->text("client_email").value_or(""),
                                 object->text("private_key_id").value_or(""), object->text("private_key").value_or(""),
                                 object->text("token_uri").value_or("https://oauth2.googleapis.com/token")};
    if (account.project.empty()) return "it has no project_id";
    if (account.email.empty()) return "it has no client_email";
    if (account.private_key.empty()) return "it has no private_key";
    if (!rs256(account.private_key, "a first try")) return "its private_key is no RSA key in PEM";
    return account;
}

Parsed<SmsAccount> parse_sms_account(std::string_view file) {
    const auto object = Object::parse(json::trim(file));
    if (!object) return "it is no JSON object";
    const auto text = [&](const char *name) { return object->text(name).value_or(""); };
    const SmsAccount account{text("accountSid"),          text("authToken"), text("from"),
                             text("messagingServiceSid"), text("apiKey"),    text("apiSecret")};
    if (account.account_sid.empty()) return "it has no accountSid";
    if (account.account_sid.find_first_of("/?#: \r\n") != std::string::npos) return "its accountSid is no word";
    if (account.auth_token.empty() && account.api_secret.empty()) return "it has no authToken";
    if (account.api_key.empty() != account.api_secret.empty()) return "it has one of apiKey and apiSecret only";
    return account;
}

Parsed<WebhookSecrets> parse_webhook_secrets(std::string_view file) {
    const std::string_view text = json::trim(file);
    if (text.starts_with('{')) {
        const auto object = Object::parse(text);
        if (!object) return "it begins like a JSON object, but is none";
        return parse_webhook_object(*object);
    }
    WebhookSecrets secrets;
    for (std::string_view rest = text; !rest.empty();) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string_view line = json::trim(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (line.empty()) continue;
        const auto key = key_of(line);
        if (!key) return kBadKey;
        secrets.keys.push_back(*key);
    }
    if (secrets.keys.empty()) return "it is empty";
    return secrets;
}

}  // namespace pulse::queue
