// The signature of an SMS provider's report, by the accounts' tokens, which no SQL ever sees.
#include "queue/configured.hpp"

#include "guc.hpp"
#include "pg/text.hpp"
#include "queue/object.hpp"

#include <algorithm>

using namespace pulse;

PULSE_FN(pulse_read_sms_report) {
    const std::string job = pg::to_string(pg::arg(fcinfo, 0)), form = pg::to_string(pg::arg(fcinfo, 1));
    const std::string signature = pg::to_string(pg::arg(fcinfo, 2));
    const std::string base = guc::sms_status_url == nullptr ? "" : guc::sms_status_url;
    if (base.empty()) return pg::null_result(fcinfo);
    const std::string url = queue::sms::report_url(base, job);
    const std::vector<queue::SmsAccount> accounts = queue::configured_sms_accounts();
    const bool genuine = std::any_of(accounts.begin(), accounts.end(), [&](const queue::SmsAccount &account) {
        return queue::sms::signature_matches(account.auth_token, url, form, signature);
    });
    if (!genuine) return pg::null_result(fcinfo);
    queue::Object out;
    for (const auto &[name, value] : queue::sms::parse_form(form)) out.put_text(queue::words(name, 100), queue::words(value, 2000));
    return pg::text_datum(out.json());
}
