// The settings of delivery channels. All are the configuration file's (or ALTER SYSTEM's) and seen by superusers only: they say where
// secrets are and where messages go.
#include "guc.hpp"
#include "pg/pg.hpp"

namespace pulse::guc {

char *fcm_url = nullptr;
char *fcm_service_account_file = nullptr;
char *oauth_url = nullptr;
bool fcm_dry_run = false;
char *sms_url = nullptr;
char *sms_auth_file = nullptr;
char *sms_fallback_url = nullptr;
char *sms_fallback_auth_file = nullptr;
char *sms_status_url = nullptr;
char *webhook_secret_file = nullptr;
char *webhook_allow = nullptr;
char *http_ca_file = nullptr;
int http_concurrency = 128;

void define_channels() {
    constexpr int kHidden = GUC_SUPERUSER_ONLY;
    DefineCustomStringVariable("pulse.fcm_url", "Where FCM HTTP v1 answers.", nullptr, &fcm_url, "https://fcm.googleapis.com", PGC_SIGHUP,
                               kHidden, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("pulse.fcm_service_account_file", "File with the key of the service account that sends to FCM.",
                               "JSON, as Google's console gives it; a relative path is one in the data directory.",
                               &fcm_service_account_file, "", PGC_SIGHUP, kHidden, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("pulse.oauth_url", "Where access tokens for FCM are asked for.", "Empty: where the service account says.",
                               &oauth_url, "", PGC_SIGHUP, kHidden, nullptr, nullptr, nullptr);
    DefineCustomBoolVariable("pulse.fcm_dry_run", "FCM checks messages and delivers none.", nullptr, &fcm_dry_run, false, PGC_SIGHUP, 0,
                             nullptr, nullptr, nullptr);
    DefineCustomStringVariable("pulse.sms_url", "Where the provider of SMS answers.", nullptr, &sms_url, "https://api.twilio.com",
                               PGC_SIGHUP, kHidden, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("pulse.sms_auth_file", "File with the account at the provider of SMS.",
                               "JSON; a relative path is one in the data directory.", &sms_auth_file, "", PGC_SIGHUP, kHidden, nullptr,
                               nullptr, nullptr);
    DefineCustomStringVariable("pulse.sms_fallback_url", "Where a second provider of SMS answers.", "Empty: there is none.",
                               &sms_fallback_url, "", PGC_SIGHUP, kHidden, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("pulse.sms_fallback_auth_file", "File with the account at the second provider of SMS.", nullptr,
                               &sms_fallback_auth_file, "", PGC_SIGHUP, kHidden, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("pulse.sms_status_url", "Where providers of SMS report what became of a message.",
                               "The public address of a route with the function pulse.sms_status; empty: they do not report.",
                               &sms_status_url, "", PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("pulse.webhook_secret_file", "File with the secrets that sign webhooks, and headers of certain hosts.",
                               "Lines of secrets, or JSON; a relative path is one in the data directory.", &webhook_secret_file, "",
                               PGC_SIGHUP, kHidden, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("pulse.webhook_allow", "Hosts and networks that webhooks may reach, separated by commas.",
                               "* stands for all public addresses.", &webhook_allow, "*", PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("pulse.http_ca_file", "File of CA certificates for outgoing HTTPS.", "Empty: the system's.", &http_ca_file,
                               "", PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("pulse.http_concurrency", "Most deliveries on their way at once, and most connections, of a database.", nullptr,
                            &http_concurrency, 128, 1, 1000, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
}

}  // namespace pulse::guc
