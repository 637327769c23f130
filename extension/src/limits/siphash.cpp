// As in the reference: two rounds a word, four at each end, words in little-endian order.
#include "limits/siphash.hpp"

#include <bit>

#include "pg/pure.hpp"

namespace pulse::limits {

namespace {

struct State {
    std::uint64_t v0, v1, v2, v3;

    void round() noexcept {
        v0 += v1;
        v1 = std::rotl(v1, 13) ^ v0;
        v0 = std::rotl(v0, 32);
        v2 += v3;
        v3 = std::rotl(v3, 16) ^ v2;
        v0 += v3;
        v3 = std::rotl(v3, 21) ^ v0;
        v2 += v1;
        v1 = std::rotl(v1, 17) ^ v2;
        v2 = std::rotl(v2, 32);
    }
    void absorb(std::uint64_t word) noexcept {
        v3 ^= word;
        round();
        round();
        v0 ^= word;
    }
    std::uint64_t finish() noexcept {
        for (int n = 0; n < 4; ++n) round();
        return v0 ^ v1 ^ v2 ^ v3;
    }
};

std::uint64_t word(const char *bytes, std::size_t count) noexcept {
    std::uint64_t value = 0;
    for (std::size_t n = 0; n < count; ++n) value |= std::uint64_t{static_cast<unsigned char>(bytes[n])} << (8 * n);
    return value;
}

}  // namespace

Hash siphash(const HashKey &key, std::string_view bytes) noexcept {
    State state{key.k0 ^ 0x736f6d6570736575U, key.k1 ^ 0x646f72616e646f6dU ^ 0xee, key.k0 ^ 0x6c7967656e657261U,
                key.k1 ^ 0x7465646279746573U};
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) state.absorb(word(bytes.data() + at, 8));
    state.absorb(word(bytes.data() + at, bytes.size() - at) | std::uint64_t{bytes.size() & 0xff} << 56);
    state.v2 ^= 0xee;
    Hash hash{};
    hash.low = state.finish();
    state.v1 ^= 0xdd;
    hash.high = state.finish();
    return hash;
}

}  // namespace pulse::limits
