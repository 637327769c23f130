// Text forms of durations and endpoints.
#include <array>
#include <charconv>

#include "config/config.hpp"

namespace bridge::config {

namespace {

struct Unit {
    std::string_view suffix;
    std::int64_t milliseconds;
};
constexpr std::array<Unit, 5> kUnits{{{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::int64_t kLongest = 10LL * 366 * 86'400'000;  // ten years: longer is a slip of the pen

}  // namespace

Result<milliseconds> parse_duration(std::string_view text) {
    const auto refuse = [&] {
        return Error{Errc::invalid, "'" + std::string(text) + "' is not a duration", "write 500ms, 25s, 5m, 24h or 7d"};
    };
    std::int64_t amount = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), amount);
    if (failure != std::errc{} || amount < 0) return refuse();
    const std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
    for (const Unit &unit : kUnits) {
        if (suffix != unit.suffix && !(suffix.empty() && unit.suffix == "s")) continue;
        if (amount > kLongest / unit.milliseconds) return refuse();
        return milliseconds(amount * unit.milliseconds);
    }
    return refuse();
}

std::string format_duration(milliseconds duration) {
    const std::int64_t count = duration.count();
    if (count == 0) return "0s";
    for (const Unit &unit : kUnits) {
        if (count % unit.milliseconds == 0) return std::to_string(count / unit.milliseconds) + std::string(unit.suffix);
    }
    return std::to_string(count) + "ms";
}

Result<Endpoint> parse_endpoint(std::string_view text) {
    const auto refuse = [&] {
        return Error{Errc::invalid, "'" + std::string(text) + "' is not host:port", "write 127.0.0.1:8080, 0.0.0.0:80 or [::1]:8080"};
    };
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return refuse();
    Endpoint endpoint;
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return refuse();
    }
    const std::string_view port = text.substr(colon + 1);
    const auto [end, failure] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (failure != std::errc{} || end != port.data() + port.size() || port.empty() || host.empty()) return refuse();
    endpoint.host = host;
    return endpoint;
}

std::string Endpoint::text() const {
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace bridge::config
