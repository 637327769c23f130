// Token buckets in a piece of memory that processes share, found by the hash of who takes. A bucket is full with `points`. The first
// take from a full one begins a window, and at the window's end it is full again; in between nothing comes back. So in one window
// exactly `points` are given, whatever asks.
// A full bucket need not be kept: when there is no room for a new one, all full ones go. When none is full, who is new is refused.
// The caller holds a lock around take(), and says what time it is. Pure: compiled into the unit tests too.
#pragma once

#include <cstddef>
#include <cstdint>

#include "limits/siphash.hpp"

namespace pulse::limits {

struct Rate {
    std::int64_t points = 0;
    std::int64_t per = 0;  // microseconds
};

struct Taken {
    enum class Result : std::uint8_t { kTaken, kOver, kNoRoom };
    Result result = Result::kTaken;
    std::int64_t wait = 0;  // microseconds until it is worth asking again; 0 when taken
};

class Buckets {
public:
    // Bytes for so many buckets (1 … 2^31); memory is aligned for any type.
    static std::size_t size(std::uint32_t capacity) noexcept;
    static Buckets *make(void *memory, std::uint32_t capacity) noexcept;

    // A rate that changed counts from this take on, for windows that have begun, too.
    Taken take(const Hash &who, std::int64_t now, const Rate &rate, std::int64_t points) noexcept;

    std::uint32_t capacity() const noexcept { return capacity_; }
    std::uint32_t kept() const noexcept { return kept_; }

private:
    struct Bucket {
        Hash who;
        std::int64_t start;  // of its window
        std::int64_t until;  // its end, as of the last take
        std::int64_t used;
        std::uint32_t next;  // of its chain, or of the free ones
    };
    static constexpr std::uint32_t kNone = 0xFFFFFFFF;
    static std::uint32_t chains_for(std::uint32_t capacity) noexcept;

    std::uint32_t *chain(const Hash &who) noexcept { return &chains()[who.high & (chains_ - 1)]; }
    std::uint32_t *chains() noexcept { return reinterpret_cast<std::uint32_t *>(buckets() + capacity_); }
    Bucket *buckets() noexcept { return reinterpret_cast<Bucket *>(this + 1); }
    void drop_full(std::int64_t now) noexcept;

    std::uint32_t capacity_;
    std::uint32_t chains_;  // a power of two
    std::uint32_t kept_;
    std::uint32_t free_;
    std::int64_t earliest_;  // no bucket kept is full before
};

}  // namespace pulse::limits
