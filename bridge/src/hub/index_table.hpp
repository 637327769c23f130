// A hash table of slab indices: the keys stay where they are (in the slab), the table holds 8 bytes for each. A std::unordered_map
// costs 56 for the same, which at two look-ups a session is more than the session's own record. Open addressing, linear probing,
// no tombstones: erase moves later entries back. The hash is keyed: clients choose names of rooms, but not where they lie.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/siphash.hpp"

namespace bridge::hub {

class IndexTable {
public:
    static constexpr std::uint32_t kNone = UINT32_MAX;

    static std::uint32_t hash(std::string_view key) {
        static const SipKey &secret = process_sip_key();
        const std::uint64_t wide = siphash(key, secret);
        return static_cast<std::uint32_t>(wide ^ wide >> 32);
    }

    std::size_t size() const { return size_; }

    // The index for which is_it(index) is true among those entered with `key_hash`, or kNone.
    template <class IsIt>
    std::uint32_t find(std::uint32_t key_hash, IsIt &&is_it) const {
        if (slots_.empty()) return kNone;
        for (std::size_t at = key_hash & mask();; at = (at + 1) & mask()) {
            const Slot &slot = slots_[at];
            if (slot.index == kNone) return kNone;
            if (slot.hash == key_hash && is_it(slot.index)) return slot.index;
        }
    }

    // `index` must not be in the table.
    void insert(std::uint32_t key_hash, std::uint32_t index) {
        if ((size_ + 1) * 4 > slots_.size() * 3) resize(slots_.empty() ? 16 : slots_.size() * 2);
        place({key_hash, index});
        ++size_;
    }

    // Takes away the entry (key_hash, index), if it is there.
    void erase(std::uint32_t key_hash, std::uint32_t index) {
        if (slots_.empty()) return;
        std::size_t at = key_hash & mask();
        while (slots_[at].index != index || slots_[at].hash != key_hash) {
            if (slots_[at].index == kNone) return;
            at = (at + 1) & mask();
        }
        // Fill the hole with the next entry that may stand here, until a run ends.
        for (std::size_t next = (at + 1) & mask(); slots_[next].index != kNone; next = (next + 1) & mask()) {
            const std::size_t home = slots_[next].hash & mask();
            if (((next - home) & mask()) < ((next - at) & mask())) continue;  // would stand before its home
            slots_[at] = slots_[next];
            at = next;
        }
        slots_[at] = Slot{};
        --size_;
        if (slots_.size() > 1024 && size_ * 8 < slots_.size()) resize(slots_.size() / 2);
    }

private:
    struct Slot {
        std::uint32_t hash = 0;
        std::uint32_t index = kNone;
    };

    std::size_t mask() const { return slots_.size() - 1; }

    void place(Slot slot) {
        std::size_t at = slot.hash & mask();
        while (slots_[at].index != kNone) at = (at + 1) & mask();
        slots_[at] = slot;
    }

    void resize(std::size_t to) {  // a power of two
        std::vector<Slot> old(to);
        old.swap(slots_);
        for (const Slot &slot : old) {
            if (slot.index != kNone) place(slot);
        }
    }

    std::vector<Slot> slots_;
    std::size_t size_ = 0;
};

}  // namespace bridge::hub
