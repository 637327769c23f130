// SipHash-2-4 with 128 bits of result: the name of a bucket. With a secret key nobody can find two subjects that share one.
// Pure: compiled into the unit tests too.
#pragma once

#include <cstdint>
#include <string_view>

namespace pulse::limits {

struct HashKey {
    std::uint64_t k0, k1;
};
struct Hash {
    std::uint64_t low, high;
    bool operator==(const Hash &) const = default;
};

Hash siphash(const HashKey &key, std::string_view bytes) noexcept;

}  // namespace pulse::limits
