#include "ephemeral/ring.hpp"

#include <algorithm>
#include <cstring>

#include "pg/pure.hpp"

namespace pulse::ephemeral {

void Ring::format(Index chunks) {
    *header_ = Header{};
    header_->chunks = header_->free_count = chunks;
    header_->first_free = chunks == 0 ? kNone : 0;
    for (Index i = 0; i < chunks; ++i) chunks_[i].next = i + 1 < chunks ? i + 1 : kNone;
    for (Queue &queue : header_->queues) queue.first = queue.last = kNone;
}

bool Ring::make_room(Index wanted) {
    if (wanted > header_->chunks) return false;
    while (header_->free_count < wanted) {
        Index longest = 0;
        for (Index i = 1; i < kQueues; ++i)
            if (header_->queues[i].chunks > header_->queues[longest].chunks) longest = i;
        const Index oldest = unlink(longest);
        if (oldest == kNone) return false;
        ++header_->queues[longest].dropped;
        release(oldest);
    }
    return true;
}

Index Ring::make(std::string_view bytes) {
    Index left = chunks_for(bytes.size());
    if (bytes.size() > kMaxRecord || !make_room(left)) return kNone;
    const Index record = header_->first_free;
    header_->free_count -= left;
    chunks_[record].size = static_cast<std::uint32_t>(bytes.size());
    chunks_[record].next_record = kNone;
    for (Index at = record;; at = chunks_[at].next) {
        const std::size_t part = std::min(bytes.size(), kChunk);
        std::memcpy(chunks_[at].bytes, bytes.data(), part);
        bytes.remove_prefix(part);
        if (--left > 0) continue;
        header_->first_free = chunks_[at].next;
        chunks_[at].next = kNone;
        return record;
    }
}

void Ring::release(Index record) {
    Index last = record;
    for (++header_->free_count; chunks_[last].next != kNone; ++header_->free_count) last = chunks_[last].next;
    chunks_[last].next = header_->first_free;
    header_->first_free = record;
}

void Ring::push(Index number, Index record, std::int64_t now) {
    Queue &queue = header_->queues[number];
    chunks_[record].at = now;
    chunks_[record].next_record = kNone;
    (queue.last == kNone ? queue.first : chunks_[queue.last].next_record) = record;
    queue.last = record;
    ++queue.records;
    queue.chunks += chunks_for(chunks_[record].size);
}

Index Ring::unlink(Index number) {
    Queue &queue = header_->queues[number];
    const Index record = queue.first;
    if (record == kNone) return kNone;
    queue.first = chunks_[record].next_record;
    if (queue.first == kNone) queue.last = kNone;
    --queue.records;
    queue.chunks -= chunks_for(chunks_[record].size);
    return record;
}

bool Ring::pop(Index number, std::string &out, std::int64_t &at) {
    const Index record = header_->queues[number].first;
    if (record == kNone) return false;
    at = chunks_[record].at;
    std::size_t left = chunks_[record].size;
    out.reserve(out.size() + left);
    for (Index chunk = record; left > 0; chunk = chunks_[chunk].next) {
        const std::size_t part = std::min(left, kChunk);
        out.append(chunks_[chunk].bytes, part);
        left -= part;
    }
    release(unlink(number));
    return true;
}

void Ring::clear(Index number) {
    for (Index record = unlink(number); record != kNone; record = unlink(number)) release(record);
    header_->queues[number] = Queue{};
    header_->queues[number].first = header_->queues[number].last = kNone;
}

}  // namespace pulse::ephemeral
