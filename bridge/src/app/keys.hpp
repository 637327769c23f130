// The keys of the configuration, loaded: the one verifier of the process. `serve` and `check` both make it, so that what the one
// refuses the other reports.
#pragma once

#include "auth/jwt.hpp"
#include "base/clock.hpp"
#include "config/config.hpp"

namespace bridge::app {

// Throws one sentence when a key cannot be used, or when there is none and anonymous clients are not allowed.
auth::Verifier make_verifier(const config::Config &config, const Clock &clock);

// Reads the files of the keys again. When they are no good the log says why, and those before count on.
void reload_keys(const config::Config &config, auth::Verifier &verifier);

}  // namespace bridge::app
