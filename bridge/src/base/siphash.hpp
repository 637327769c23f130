// SipHash, for hash tables whose keys clients choose: without the key nobody can find names that fall into one slot. (std::hash is the
// same in every process, and MurmurHash has collisions for every seed.) Pure; used by hub::IndexTable.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace bridge {

using SipKey = std::array<std::uint64_t, 2>;

// The key of this process: random, made at the first call.
const SipKey &process_sip_key();

// SipHash-C-D. 2-4 is the paper's; 1-3 is enough for tables and half the work.
template <int C = 1, int D = 3>
std::uint64_t siphash(std::string_view text, const SipKey &key) {
    static_assert(std::endian::native == std::endian::little);
    std::uint64_t v0 = key[0] ^ 0x736f6d6570736575, v1 = key[1] ^ 0x646f72616e646f6d;
    std::uint64_t v2 = key[0] ^ 0x6c7967656e657261, v3 = key[1] ^ 0x7465646279746573;
    const auto rounds = [&](int count) {
        while (count-- > 0) {
            v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
            v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
            v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
            v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
        }
    };
    const auto take = [&](std::uint64_t word) {
        v3 ^= word;
        rounds(C);
        v0 ^= word;
    };
    const auto word_at = [&](std::size_t at, std::size_t size) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data() + at, size);
        return word;
    };
    std::size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) take(word_at(at, 8));
    const std::uint64_t rest = at < text.size() ? word_at(at, text.size() - at) : 0;
    take(rest | static_cast<std::uint64_t>(text.size()) << 56);
    v2 ^= 0xff;
    rounds(D);
    return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace bridge
