// The subcommands that do not serve: `token` mints a token with the configured secret, `check` looks whether the configuration would
// work: keys, the database, the functions that the bridge calls, and whether a dispatcher is alive.
#pragma once

#include <iosfwd>

#include "config/config.hpp"

namespace bridge::app {

int mint_token(const config::Config &config, const config::TokenRequest &request, std::ostream &out, std::ostream &error);
// Throws one sentence when the keys cannot be used.
int check(const config::Config &config, std::ostream &out, std::ostream &error);

}  // namespace bridge::app
