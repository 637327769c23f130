#include "base/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace bridge {

namespace {

constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::uint8_t mask_of(int prefix, int byte) {
    const int bits = std::clamp(prefix - 8 * byte, 0, 8);
    return static_cast<std::uint8_t>(0xff << (8 - bits));
}

}  // namespace

std::optional<Address> Address::parse(std::string_view text) {
    char buffer[INET6_ADDRSTRLEN];
    if (text.empty() || text.size() >= sizeof buffer) return std::nullopt;
    std::memcpy(buffer, text.data(), text.size());
    buffer[text.size()] = '\0';
    Address out;
    if (inet_pton(AF_INET6, buffer, out.bytes_.data()) == 1) return out;
    std::copy(kMapped.begin(), kMapped.end(), out.bytes_.begin());
    if (inet_pton(AF_INET, buffer, out.bytes_.data() + kMapped.size()) == 1) return out;
    return std::nullopt;
}

bool Address::v4() const { return std::equal(kMapped.begin(), kMapped.end(), bytes_.begin()); }

std::string Address::text() const {
    char buffer[INET6_ADDRSTRLEN];
    const char *text = v4() ? inet_ntop(AF_INET, bytes_.data() + kMapped.size(), buffer, sizeof buffer)
                            : inet_ntop(AF_INET6, bytes_.data(), buffer, sizeof buffer);
    return text == nullptr ? "" : text;
}

Address Address::client() const {
    Address out = *this;
    if (!v4()) std::fill(out.bytes_.begin() + 8, out.bytes_.end(), std::uint8_t{0});
    return out;
}

std::optional<Network> Network::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto base = Address::parse(text.substr(0, slash));
    if (!base) return std::nullopt;
    Network out;
    out.base_ = *base;
    if (slash != std::string_view::npos) {
        const std::string_view digits = text.substr(slash + 1);
        const int most = base->v4() ? 32 : 128;
        int prefix = -1;
        const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
        if (failure != std::errc{} || end != digits.data() + digits.size() || prefix < 0 || prefix > most) return std::nullopt;
        out.prefix_ = prefix + (128 - most);
    }
    for (int i = 0; i < 16; ++i) {
        if ((out.base_.bytes_[static_cast<std::size_t>(i)] & ~mask_of(out.prefix_, i)) != 0) return std::nullopt;
    }
    return out;
}

bool Network::contains(const Address &address) const {
    for (int i = 0; i < 16; ++i) {
        const auto at = static_cast<std::size_t>(i);
        if ((address.bytes_[at] & mask_of(prefix_, i)) != base_.bytes_[at]) return false;
    }
    return true;
}

}  // namespace bridge
