// The identities that modules pass to each other: types, not ints. Slab ids are an index plus a generation, so an id kept by a
// late callback is recognised as stale. Public ids are 20 characters of URL-safe base64, kept inline: no heap for 10k idle clients.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace bridge {

template <class Tag>
struct SlabId {
    std::uint32_t index = 0;
    std::uint32_t generation = 0;  // 0: nobody

    explicit operator bool() const { return generation != 0; }
    friend bool operator==(const SlabId &, const SlabId &) = default;
};
using SessionId = SlabId<struct SessionTag>;        // one namespace on one connection, in this process only
using ConnectionId = SlabId<struct ConnectionTag>;  // one socket, in this process only

struct Position {
    std::uint64_t value = 0;
    friend auto operator<=>(const Position &, const Position &) = default;
};

// `epoch:position`, opaque to clients. The epoch is 16 hex digits.
struct Cursor {
    std::string epoch;
    Position position;

    static Result<Cursor> parse(std::string_view text);
    std::string text() const;
    friend bool operator==(const Cursor &, const Cursor &) = default;
};

// What a client may see: session ids, socket ids, Engine.IO sids, correlation ids. 120 random bits.
struct PublicId {
    static constexpr std::size_t kSize = 20;
    std::array<char, kSize> chars{};  // all zero: none

    std::string_view view() const { return {chars.data(), kSize}; }
    explicit operator bool() const { return chars[0] != 0; }
    static Result<PublicId> parse(std::string_view text);  // exactly 20 characters of A–Z a–z 0–9 - _
    friend bool operator==(const PublicId &, const PublicId &) = default;
};

}  // namespace bridge

template <>
struct std::hash<bridge::PublicId> {
    std::size_t operator()(const bridge::PublicId &id) const noexcept { return std::hash<std::string_view>{}(id.view()); }
};
