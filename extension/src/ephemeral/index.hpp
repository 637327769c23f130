// What ring, throttles and sampler share: places in arrays instead of pointers (all of it lies in shared memory), keys, and a hash
// index by chains. Pure.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace pulse::ephemeral {

using Index = std::uint32_t;
inline constexpr Index kNone = UINT32_MAX;

// 128 bits of a hash with a secret seed: two keys are the same when these are.
struct Key {
    std::uint64_t a, b;
    bool operator==(const Key &) const = default;
};

// Entry has the members `key` and `next`. An entry that is in no chain may use `next` for a list of free ones.
template <class Entry>
class Chains {
public:
    static Index buckets(Index entries) { return std::bit_ceil(entries); }

    Chains(Index *heads, Index buckets, Entry *entries) : heads_(heads), mask_(buckets - 1), entries_(entries) {}

    void format() {
        for (Index i = 0; i <= mask_; ++i) heads_[i] = kNone;
    }
    Index find(const Key &key) const {
        Index at = heads_[key.a & mask_];
        while (at != kNone && !(entries_[at].key == key)) at = entries_[at].next;
        return at;
    }
    void insert(Index entry) {
        Index &head = heads_[entries_[entry].key.a & mask_];
        entries_[entry].next = head;
        head = entry;
    }
    void erase(Index entry) {
        Index *link = &heads_[entries_[entry].key.a & mask_];
        while (*link != entry) link = &entries_[*link].next;
        *link = entries_[entry].next;
    }

private:
    Index *heads_;
    Index mask_;
    Entry *entries_;
};

}  // namespace pulse::ephemeral
