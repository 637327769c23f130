#include "app/certificate.hpp"

#include <stdexcept>
#include <string>

#include "base/log.hpp"

namespace bridge::app {

std::unique_ptr<net::TlsContext> load_certificate(const config::Config &config, const Clock &clock) {
    if (config.tls_cert_file.empty()) return nullptr;
    using Version = net::TlsOptions::Version;
    auto loaded =
        net::TlsContext::load({config.tls_cert_file, config.tls_key_file, config.tls_min == "1.2" ? Version::v1_2 : Version::v1_3});
    if (!loaded) throw std::runtime_error(loaded.error().detail + "\nhint: " + loaded.error().hint);
    if (const auto valid = (*loaded)->valid_at(clock.wall()); !valid) {
        log::warn("the certificate is not valid today", {{"reason", valid.error().detail}});
    }
    return std::move(*loaded);
}

void reload_certificate(net::TlsContext *context, const Clock &clock) {
    if (context == nullptr) return;
    if (const auto reloaded = context->reload(clock.wall()); !reloaded) {
        return log::error("certificate not reloaded", {{"reason", reloaded.error().detail}, {"hint", reloaded.error().hint}});
    }
    log::info("certificate reloaded", {{"expiresAt", iso8601(context->expires_at())}});
}

}  // namespace bridge::app
