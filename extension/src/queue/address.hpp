// Where webhooks may go. A name or address that the setting pulse.webhook_allow lists may be reached wherever it leads; of all others only
// public addresses, and only when the list has `*`. The address that is asked about is the one that is connected to, after DNS. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

struct sockaddr;

namespace pulse::queue {

// IPv4 as its IPv4-mapped form, so that ::ffff:127.0.0.1 and 127.0.0.1 are one.
using Address = std::array<std::uint8_t, 16>;

std::optional<Address> parse_address(std::string_view text);  // as inet_pton takes it, also in brackets
std::string text_of(const Address &address);
std::optional<Address> address_of(const sockaddr *socket_address);
// Nothing of ours or of a private network's: see the table in address.cpp.
bool is_public(const Address &address);

class AllowList {
public:
    // Entries, separated by commas: * · host · *.domain · host:port · address · network/bits. A sentence of what is wrong.
    static std::variant<AllowList, std::string> parse(std::string_view setting);

    // Before anything is looked up: may this host be asked for at all?
    bool may_ask(std::string_view host, int port) const;
    // With the address it led to.
    bool may_connect(std::string_view host, int port, const Address &address) const;

private:
    struct Network {
        Address address;
        int bits;
    };
    struct Name {
        std::string host;  // lower case; with *. in front: everything below it
        int port;          // 0: any
    };
    bool lists(std::string_view host, int port) const;
    bool lists(const Address &address) const;

    bool everybody_ = false;
    std::vector<Name> names_;
    std::vector<Network> networks_;
};

}  // namespace pulse::queue
