// The certificate of --tls-cert-file: read at start, again on SIGHUP, and looked at by `check`.
#pragma once

#include <memory>

#include "base/clock.hpp"
#include "config/config.hpp"
#include "net/tls.hpp"

namespace bridge::app {

// Null when none is configured. Throws a sentence and its hint when the files are no good. One that is not valid today is loaded, with a
// warning: its clients will refuse it, not we.
std::unique_ptr<net::TlsContext> load_certificate(const config::Config &config, const Clock &clock);

// Reads the files again. When they are no good the log says why, and everything stays as it was. Null: nothing to do.
void reload_certificate(net::TlsContext *context, const Clock &clock);

}  // namespace bridge::app
