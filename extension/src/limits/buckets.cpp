// Chains of buckets by index: memory that is mapped at different addresses holds no pointers.
#include "limits/buckets.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <new>

#include "pg/pure.hpp"

namespace pulse::limits {

std::uint32_t Buckets::chains_for(std::uint32_t capacity) noexcept { return std::bit_ceil(capacity); }

std::size_t Buckets::size(std::uint32_t capacity) noexcept {
    return sizeof(Buckets) + sizeof(Bucket) * capacity + sizeof(std::uint32_t) * chains_for(capacity);
}

Buckets *Buckets::make(void *memory, std::uint32_t capacity) noexcept {
    auto *self = new (memory) Buckets;
    self->capacity_ = capacity;
    self->chains_ = chains_for(capacity);
    self->kept_ = 0;
    self->free_ = 0;
    self->earliest_ = std::numeric_limits<std::int64_t>::max();
    for (std::uint32_t n = 0; n < capacity; ++n) self->buckets()[n].next = n + 1 < capacity ? n + 1 : kNone;
    std::fill_n(self->chains(), self->chains_, kNone);
    return self;
}

void Buckets::drop_full(std::int64_t now) noexcept {
    earliest_ = std::numeric_limits<std::int64_t>::max();
    for (std::uint32_t n = 0; n < chains_; ++n) {
        std::uint32_t *link = &chains()[n];
        while (*link != kNone) {
            Bucket &bucket = buckets()[*link];
            if (bucket.until > now) {
                earliest_ = std::min(earliest_, bucket.until);
                link = &bucket.next;
                continue;
            }
            const std::uint32_t dropped = *link;
            *link = bucket.next;
            bucket.next = free_;
            free_ = dropped;
            --kept_;
        }
    }
}

Taken Buckets::take(const Hash &who, std::int64_t now, const Rate &rate, std::int64_t points) noexcept {
    if (points > rate.points) return {Taken::Result::kOver, rate.per};
    std::uint32_t at = *chain(who);
    while (at != kNone && buckets()[at].who != who) at = buckets()[at].next;
    if (at == kNone) {
        if (free_ == kNone && now >= earliest_) drop_full(now);
        if (free_ == kNone) return {Taken::Result::kNoRoom, earliest_ - now};
        at = free_;
        Bucket &fresh = buckets()[at];
        free_ = fresh.next;
        ++kept_;
        fresh.who = who;
        fresh.start = now;
        fresh.used = 0;
        fresh.next = *chain(who);
        *chain(who) = at;
    }
    Bucket &bucket = buckets()[at];
    if (now >= bucket.start + rate.per) {
        bucket.start = now;
        bucket.used = 0;
    }
    bucket.until = bucket.start + rate.per;
    earliest_ = std::min(earliest_, bucket.until);
    if (points > rate.points - bucket.used) return {Taken::Result::kOver, bucket.until - now};
    bucket.used += points;
    return {};
}

}  // namespace pulse::limits
