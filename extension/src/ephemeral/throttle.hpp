// Which throttled events may go at once, and which wait for the end of their key's interval: the newest of a key only. What waits lies in
// the ring's memory, so it outlives its publisher and the dispatcher, whose timer it is. A table of fixed size: when it is full, the key
// whose interval ends first makes room, and what waits for it is sent early rather than lost. The caller holds the lock. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "ephemeral/index.hpp"
#include "ephemeral/ring.hpp"

namespace pulse::ephemeral {

class Throttles {
public:
    enum class Offered {
        queued,    // to be sent now
        waits,     // for a timer that may be earlier than any other
        replaced,  // in the place of an older one, whose timer stays
    };

    static std::size_t bytes(Index entries);
    Throttles(void *memory, Index entries, Ring ring);
    void format();

    // Takes the record over. Times in microseconds of one clock that only goes forward.
    Offered offer(const Key &key, Index queue, Index record, std::int64_t now, std::int64_t interval);
    // Lets go of what waits for this key, to make room for something newer. False: nothing does.
    bool discard(const Key &key);
    // When release() has something to do; nullopt while nothing waits.
    std::optional<std::int64_t> next_due() const;
    // Queues what has waited long enough. Returns the queues that got something, a bit each.
    std::uint64_t release(std::int64_t now);
    // The queues that offer() has put something into for want of places, a bit each, since last asked.
    std::uint64_t take_early();
    void forget(Index queue);  // all keys of it

    Index size() const { return header_->size; }
    Index waiting() const { return header_->waiting; }

private:
    struct Entry {
        Key key;
        Index next;
        Index queue;
        Index record;  // kNone: nothing waits
        Index place;   // in the heap
        std::int64_t due, interval;
    };
    struct Header {
        Index free, size, waiting;
        std::uint64_t early;
    };
    Index add(const Key &key, Index queue, std::int64_t now);
    void remove(Index entry);
    void send(Entry &entry, std::int64_t now);
    void place(Index at, Index entry);
    void sift(Index at);

    Index capacity_;
    Header *header_;
    Entry *entries_;
    Index *heap_;  // entries, the one with the earliest due on top
    Chains<Entry> chains_;
    Ring ring_;
};

}  // namespace pulse::ephemeral
