// Addresses, networks, and the list of what is allowed.
#include "queue/address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "pg/pure.hpp"

namespace pulse::queue {

namespace {

struct Range {
    const char *network;
    int bits;
};

// IANA's registries of special-purpose addresses, RFC 6890 and its successors: what is not globally reachable, and what carries an IPv4
// address inside (6to4, Teredo, NAT64), which could be one of these.
constexpr Range kSpecial[] = {{"0.0.0.0", 8},     {"10.0.0.0", 8},      {"100.64.0.0", 10},  {"127.0.0.0", 8},    {"169.254.0.0", 16},
                              {"172.16.0.0", 12}, {"192.0.0.0", 24},    {"192.0.2.0", 24},   {"192.88.99.0", 24}, {"192.168.0.0", 16},
                              {"198.18.0.0", 15}, {"198.51.100.0", 24}, {"203.0.113.0", 24}, {"224.0.0.0", 4},    {"240.0.0.0", 4}};
constexpr Range kSpecial6[] = {{"64:ff9b::", 96},  {"64:ff9b:1::", 48}, {"100::", 64}, {"2001::", 23},
                               {"2001:db8::", 32}, {"2002::", 16},      {"3fff::", 20}};
constexpr Range kGlobal6 = {"2000::", 3};  // everything outside is local, multicast or not assigned
constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

bool is_mapped(const Address &address) { return std::memcmp(address.data(), kMapped, sizeof kMapped) == 0; }

bool within(const Address &address, const Address &network, int bits) {
    for (std::size_t n = 0; bits > 0; ++n, bits -= 8) {
        const auto mask = static_cast<std::uint8_t>(bits >= 8 ? 0xFF : 0xFF << (8 - bits));
        if ((address[n] & mask) != (network[n] & mask)) return false;
    }
    return true;
}

bool within(const Address &address, const Range &range) {
    const auto network = parse_address(range.network);
    return network && within(address, *network, is_mapped(*network) ? range.bits + 96 : range.bits);
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char &c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (out.size() > 1 && out.back() == '.') out.pop_back();  // the root, which changes nothing
    return out;
}

std::optional<int> number(std::string_view text, int most) {
    int value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || stop != text.data() + text.size() || value < 0 || value > most) return std::nullopt;
    return value;
}

bool is_host(std::string_view text) {
    if (text.starts_with("*.")) text.remove_prefix(2);
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
    });
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
    if (text.size() > 1 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
    const std::string name(text);
    Address out{};
    if (inet_pton(AF_INET6, name.c_str(), out.data()) == 1) return out;
    std::memcpy(out.data(), kMapped, sizeof kMapped);
    if (inet_pton(AF_INET, name.c_str(), out.data() + sizeof kMapped) == 1) return out;
    return std::nullopt;
}

std::string text_of(const Address &address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (is_mapped(address))
        inet_ntop(AF_INET, address.data() + sizeof kMapped, text.data(), text.size());
    else
        inet_ntop(AF_INET6, address.data(), text.data(), text.size());
    return text.data();
}

std::optional<Address> address_of(const sockaddr *socket_address) {
    Address out{};
    if (socket_address->sa_family == AF_INET6) {
        sockaddr_in6 in6{};
        std::memcpy(&in6, socket_address, sizeof in6);
        std::memcpy(out.data(), &in6.sin6_addr, out.size());
        return out;
    }
    if (socket_address->sa_family != AF_INET) return std::nullopt;
    sockaddr_in in{};
    std::memcpy(&in, socket_address, sizeof in);
    std::memcpy(out.data(), kMapped, sizeof kMapped);
    std::memcpy(out.data() + sizeof kMapped, &in.sin_addr, 4);
    return out;
}

bool is_public(const Address &address) {
    const auto inside = [&](const Range &range) { return within(address, range); };
    if (is_mapped(address)) return std::none_of(std::begin(kSpecial), std::end(kSpecial), inside);
    return within(address, kGlobal6) && std::none_of(std::begin(kSpecial6), std::end(kSpecial6), inside);
}

std::variant<AllowList, std::string> AllowList::parse(std::string_view setting) {
    AllowList list;
    while (!setting.empty()) {
        const std::size_t end = std::min(setting.find(','), setting.size());
        std::string entry = lower(setting.substr(0, end));
        setting.remove_prefix(std::min(end + 1, setting.size()));
        std::erase(entry, ' ');
        if (entry.empty()) continue;
        if (entry == "*") {
            list.everybody_ = true;
            continue;
        }
        const std::size_t slash = entry.find('/');
        if (const auto address = parse_address(std::string_view(entry).substr(0, slash))) {
            const int all = is_mapped(*address) ? 32 : 128;
            const auto bits = slash == std::string::npos ? std::optional<int>(all) : number(std::string_view(entry).substr(slash + 1), all);
            if (!bits) return "\"" + entry + "\" is no network";
            list.networks_.push_back({*address, *bits + (128 - all)});
            continue;
        }
        const std::size_t colon = entry.find(':');
        const auto port = colon == std::string::npos ? std::optional<int>(0) : number(std::string_view(entry).substr(colon + 1), 65535);
        const std::string host = entry.substr(0, colon);
        if (!port || !is_host(host)) return "\"" + entry + "\" is neither a host, nor a network, nor *";
        list.names_.push_back({host, *port});
    }
    return list;
}

bool AllowList::lists(std::string_view host, int port) const {
    const std::string name = lower(host);
    return std::any_of(names_.begin(), names_.end(), [&](const Name &one) {
        if (one.port != 0 && one.port != port) return false;
        if (one.host.starts_with("*.")) return name.size() > one.host.size() - 1 && name.ends_with(std::string_view(one.host).substr(1));
        return name == one.host;
    });
}

bool AllowList::lists(const Address &address) const {
    return std::any_of(networks_.begin(), networks_.end(),
                       [&](const Network &network) { return within(address, network.address, network.bits); });
}

bool AllowList::may_ask(std::string_view host, int port) const {
    if (everybody_ || lists(host, port)) return true;
    // A name may lead into a listed network: that is seen when it is connected to.
    const auto address = parse_address(host);
    return address ? lists(*address) : !networks_.empty();
}

bool AllowList::may_connect(std::string_view host, int port, const Address &address) const {
    return lists(host, port) || lists(address) || (everybody_ && is_public(address));
}

}  // namespace pulse::queue
