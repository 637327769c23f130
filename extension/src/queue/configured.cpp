// Settings and files to Channels.
#include "queue/configured.hpp"

#include "guc.hpp"
#include "pg/secret_file.hpp"
#include "queue/webhook.hpp"

namespace pulse::queue {

namespace {

// The parsed file, or why there is none.
template <class T, class Parse>
std::optional<T> read(const char *setting, const char *path, Parse &&parse, std::string &problem) {
    pg::SecretFile file;
    pg::read_secret_file(setting, path, file);
    if (!file.problem.empty()) {
        problem = file.problem;
        return std::nullopt;
    }
    auto parsed = parse(file.text);
    if (const auto *wrong = std::get_if<std::string>(&parsed)) {
        problem = std::string("the file of ") + setting + " cannot be used: " + *wrong;
        return std::nullopt;
    }
    return std::move(std::get<T>(parsed));
}

bool is_set(const char *value) { return value != nullptr && *value != '\0'; }
std::string text(const char *value) { return value == nullptr ? "" : value; }

// What nobody has set is no mistake.
void complain(const char *value, const std::string &problem) {
    if (!is_set(value) || problem.empty()) return;
    pg::call([&] { ereport(WARNING, (errcode(ERRCODE_CONFIG_FILE_ERROR), errmsg("%s", problem.c_str()))); });
}

// What is wrong with an address, without quoting it: somebody may have written a password into it.
std::string wrong_address(const char *setting, const char *value) {
    if (webhook::parse_url(text(value))) return {};
    return std::string(setting) + " is no address of http or https, without user and password";
}

void read_fcm(Channels &channels) {
    std::string &problem = channels.fcm_problem;
    channels.fcm_account =
        read<ServiceAccount>("pulse.fcm_service_account_file", guc::fcm_service_account_file, parse_service_account, problem);
    complain(guc::fcm_service_account_file, problem);
    channels.fcm = {text(guc::fcm_url), channels.fcm_account ? channels.fcm_account->project : "", guc::fcm_dry_run};
    channels.oauth_url = text(guc::oauth_url);
    std::string wrong = wrong_address("pulse.fcm_url", guc::fcm_url);
    if (wrong.empty() && is_set(guc::oauth_url)) wrong = wrong_address("pulse.oauth_url", guc::oauth_url);
    if (wrong.empty()) return;
    complain("set", wrong);
    channels.fcm_account.reset();
    problem = std::move(wrong);
}

void read_sms(Channels &channels) {
    struct {
        const char *setting, *url_setting, *url, *path;
    } const providers[] = {{"pulse.sms_auth_file", "pulse.sms_url", guc::sms_url, guc::sms_auth_file},
                           {"pulse.sms_fallback_auth_file", "pulse.sms_fallback_url", guc::sms_fallback_url, guc::sms_fallback_auth_file}};
    for (const auto &one : providers) {
        if (&one != &providers[0] && !is_set(one.url)) continue;
        std::string problem;
        auto account = read<SmsAccount>(one.setting, one.path, parse_sms_account, problem);
        complain(one.path, problem);
        if (std::string wrong = wrong_address(one.url_setting, one.url); !wrong.empty()) {
            complain(one.path, wrong);
            problem = std::move(wrong);
        } else if (account) {
            channels.sms.push_back({text(one.url), *std::move(account)});
        }
        if (channels.sms_problem.empty()) channels.sms_problem = std::move(problem);
    }
}

}  // namespace

Channels configured_channels() {
    Channels channels;
    read_fcm(channels);
    read_sms(channels);
    channels.sms_status_url = text(guc::sms_status_url);
    if (is_set(guc::sms_status_url)) complain(guc::sms_status_url, wrong_address("pulse.sms_status_url", guc::sms_status_url));
    if (is_set(guc::webhook_secret_file)) {
        auto secrets =
            read<WebhookSecrets>("pulse.webhook_secret_file", guc::webhook_secret_file, parse_webhook_secrets, channels.webhook_problem);
        if (secrets) channels.webhook_secrets = *std::move(secrets);
        complain(guc::webhook_secret_file, channels.webhook_problem);
    }
    auto allow = AllowList::parse(text(guc::webhook_allow));
    if (auto *list = std::get_if<AllowList>(&allow))
        channels.webhook_allow = std::make_shared<AllowList>(std::move(*list));
    else
        complain("set", channels.webhook_problem = "pulse.webhook_allow: " + std::get<std::string>(allow));
    channels.ca_file = text(guc::http_ca_file);
    channels.most_connections = guc::http_concurrency;
    return channels;
}

std::vector<SmsAccount> configured_sms_accounts() {
    std::vector<SmsAccount> accounts;
    std::string problem;
    for (const auto &[setting, path] :
         {std::pair{"pulse.sms_auth_file", guc::sms_auth_file}, {"pulse.sms_fallback_auth_file", guc::sms_fallback_auth_file}})
        if (auto account = read<SmsAccount>(setting, path, parse_sms_account, problem)) accounts.push_back(*std::move(account));
    return accounts;
}

}  // namespace pulse::queue
