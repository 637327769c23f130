#include "net/admission.hpp"

#include <algorithm>

namespace bridge::net {

namespace {

bool any_contains(const std::vector<Network> &networks, const Address &address) {
    return std::any_of(networks.begin(), networks.end(), [&](const Network &network) { return network.contains(address); });
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// Proxies write "192.0.2.1", some "192.0.2.1:4711" or "[2001:db8::1]:4711".
std::optional<Address> forwarded_address(std::string_view text) {
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos || (end + 1 < text.size() && text[end + 1] != ':')) return std::nullopt;
        return Address::parse(text.substr(1, end - 1));
    }
    if (const auto address = Address::parse(text)) return address;
    const std::size_t colon = text.find(':');
    return colon == std::string_view::npos ? std::nullopt : Address::parse(text.substr(0, colon));
}

}  // namespace

bool Admission::counted(const Address &address) const {
    return options_.max_per_ip != 0 && !any_contains(options_.trusted_proxies, address);
}

std::optional<Refusal> Admission::enter(std::string_view ip, std::int64_t now_ms) {
    if (open_ >= options_.max_connections) return Refusal::full;
    const auto address = Address::parse(ip);
    const bool counts = address && counted(*address);
    if (counts) {
        const auto found = of_ip_.find(address->client());
        if (found != of_ip_.end() && found->second >= options_.max_per_ip) return Refusal::too_many_of_ip;
    }
    // Last, so that who is refused anyway takes nothing from the others.
    if (rate_.take(now_ms, options_.rate, options_.rate) != 0) return Refusal::too_fast;
    ++open_;
    if (counts) ++of_ip_[address->client()];
    return std::nullopt;
}

void Admission::leave(std::string_view ip) {
    --open_;
    const auto address = Address::parse(ip);
    if (!address || !counted(*address)) return;
    const auto found = of_ip_.find(address->client());
    if (found != of_ip_.end() && --found->second == 0) of_ip_.erase(found);
}

Error error(Refusal refusal) {
    switch (refusal) {
        case Refusal::full: return {Errc::too_many_connections, "the server is full", {}, 5};
        case Refusal::too_many_of_ip: return {Errc::rate_limited, "too many connections from this address", {}, 5};
        case Refusal::too_fast: return {Errc::rate_limited, "too many new connections", {}, 1};
    }
    return {};
}

std::string_view reason(Refusal refusal) {
    switch (refusal) {
        case Refusal::full: return "full";
        case Refusal::too_many_of_ip: return "ip";
        case Refusal::too_fast: return "rate";
    }
    return {};
}

std::string client_address(std::string_view peer, std::string_view forwarded_for, const std::vector<Network> &trusted_proxies) {
    auto address = Address::parse(peer);
    if (!address) return std::string(peer);
    while (!forwarded_for.empty() && any_contains(trusted_proxies, *address)) {
        const std::size_t comma = forwarded_for.rfind(',');
        const std::string_view last = trimmed(comma == std::string_view::npos ? forwarded_for : forwarded_for.substr(comma + 1));
        const auto next = forwarded_address(last);
        if (!next) break;
        address = next;
        forwarded_for = comma == std::string_view::npos ? std::string_view{} : forwarded_for.substr(0, comma);
    }
    return address->text();
}

}  // namespace bridge::net
