// Ephemeral events that wait for a dispatcher: a queue for each database, all in one piece of shared memory that never grows. When it is
// full, the oldest event of the longest queue makes room, and is counted: so the newest win, and a database that nobody serves costs the
// others nothing. A record lies in chunks, so copying one takes a bounded time. The caller holds the lock. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ephemeral/index.hpp"

namespace pulse::ephemeral {

inline constexpr Index kQueues = 64;
inline constexpr std::size_t kMaxRecord = 7900;  // bytes: with the head of a notification it fits into one

class Ring {
public:
    struct Queue {
        Index first, last;  // records
        Index records, chunks;
        std::uint32_t database;   // whose it is; 0: nobody's
        std::uint64_t sequence;   // of the notifications
        std::uint64_t in_flight;  // taken by a dispatcher that has not yet said that they are sent
        std::uint64_t sent, dropped, replaced;
    };

    static std::size_t bytes(Index chunks) { return sizeof(Header) + chunks * sizeof(Chunk); }
    // memory: bytes(chunks) of them, at the same place for everybody who attaches.
    explicit Ring(void *memory) : header_(static_cast<Header *>(memory)), chunks_(reinterpret_cast<Chunk *>(header_ + 1)) {}
    void format(Index chunks);

    // A record of its own, in no queue. kNone when there is no room, though all queues are empty: what is left waits in throttles.
    Index make(std::string_view bytes);
    void release(Index record);

    void push(Index queue, Index record, std::int64_t now);
    // Appends the oldest record to `out` and removes it; false when there is none. `at`: when it was pushed.
    bool pop(Index queue, std::string &out, std::int64_t &at);
    void clear(Index queue);

    Queue &queue(Index queue) { return header_->queues[queue]; }
    Index free_chunks() const { return header_->free_count; }

private:
    static constexpr std::size_t kChunk = 232;
    struct Chunk {
        Index next;          // of this record; or the next free one
        Index next_record;   // in its queue. This and what follows: of the first chunk only
        std::uint32_t size;  // of the record
        std::uint32_t unused;
        std::int64_t at;
        char bytes[kChunk];
    };
    struct Header {
        Index chunks, first_free, free_count;
        Queue queues[kQueues];
    };
    static Index chunks_for(std::size_t bytes) { return bytes == 0 ? 1 : static_cast<Index>((bytes + kChunk - 1) / kChunk); }
    Index unlink(Index queue);
    bool make_room(Index wanted);

    Header *header_;
    Chunk *chunks_;
};

}  // namespace pulse::ephemeral
