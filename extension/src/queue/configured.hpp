// What the settings and the files they name say about channels, as of now.
#pragma once

#include "queue/deliveries.hpp"

namespace pulse::queue {

// What cannot be used is logged, and becomes the words that attempts fail with. May throw pg::Error.
Channels configured_channels();
// The SMS accounts alone, without a log line; the ones that cannot be used are left out.
std::vector<SmsAccount> configured_sms_accounts();

}  // namespace pulse::queue
