// Internet addresses and the networks they are in; IPv4 inside IPv6 (::ffff:192.0.2.1) is IPv4. No names, no look-ups.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bridge {

class Address {
public:
    static std::optional<Address> parse(std::string_view text);

    bool v4() const;
    std::string text() const;
    // What limits count as one client: an IPv4 address, or the /64 that one gets with IPv6.
    Address client() const;

    auto operator<=>(const Address &) const = default;

private:
    friend class Network;
    std::array<std::uint8_t, 16> bytes_{};  // IPv4 as ::ffff:a.b.c.d
};

class Network {
public:
    // "10.0.0.0/8", "fd00::/8", or one address. Bits behind the prefix must be zero, or it is a slip of the pen.
    static std::optional<Network> parse(std::string_view text);
    bool contains(const Address &address) const;

private:
    Address base_;
    int prefix_ = 128;  // bits of the IPv6 form
};

}  // namespace bridge
