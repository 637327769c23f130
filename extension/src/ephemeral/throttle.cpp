#include "ephemeral/throttle.hpp"

#include <algorithm>
#include <utility>

#include "pg/pure.hpp"

namespace pulse::ephemeral {

std::size_t Throttles::bytes(Index entries) {
    return sizeof(Header) + alignof(Entry) + entries * (sizeof(Entry) + sizeof(Index)) + Chains<Entry>::buckets(entries) * sizeof(Index);
}

Throttles::Throttles(void *memory, Index entries, Ring ring)
    : capacity_(entries), header_(static_cast<Header *>(memory)),
      entries_(reinterpret_cast<Entry *>((reinterpret_cast<std::uintptr_t>(header_ + 1) + alignof(Entry) - 1) & ~(alignof(Entry) - 1))),
      heap_(reinterpret_cast<Index *>(entries_ + entries)), chains_(heap_ + entries, Chains<Entry>::buckets(entries), entries_),
      ring_(ring) {}

void Throttles::format() {
    *header_ = Header{};
    chains_.format();
    for (Index i = 0; i < capacity_; ++i) entries_[i].next = i + 1 < capacity_ ? i + 1 : kNone;
}

Throttles::Offered Throttles::offer(const Key &key, Index queue, Index record, std::int64_t now, std::int64_t interval) {
    Index found = chains_.find(key);
    if (found == kNone) found = add(key, queue, now);
    Entry &entry = entries_[found];
    entry.interval = interval;
    if (entry.record == kNone && entry.due <= now) {
        ring_.push(queue, record, now);
        entry.due = now + interval;
        sift(entry.place);
        return Offered::queued;
    }
    if (entry.due > now + interval) {  // it was given a longer one before
        entry.due = now + interval;
        sift(entry.place);
    }
    const Index older = std::exchange(entry.record, record);
    if (older == kNone) {
        ++header_->waiting;
        return Offered::waits;
    }
    ring_.release(older);
    ++ring_.queue(queue).replaced;
    return Offered::replaced;
}

bool Throttles::discard(const Key &key) {
    const Index found = chains_.find(key);
    if (found == kNone || entries_[found].record == kNone) return false;
    ring_.release(std::exchange(entries_[found].record, kNone));
    --header_->waiting;
    ++ring_.queue(entries_[found].queue).replaced;
    return true;
}

std::optional<std::int64_t> Throttles::next_due() const {
    if (header_->waiting == 0) return std::nullopt;
    return entries_[heap_[0]].due;
}

std::uint64_t Throttles::release(std::int64_t now) {
    std::uint64_t queues = 0;
    while (header_->size > 0 && entries_[heap_[0]].due <= now) {
        Entry &entry = entries_[heap_[0]];
        if (entry.record == kNone) {
            remove(heap_[0]);
            continue;
        }
        queues |= std::uint64_t{1} << entry.queue;
        send(entry, now);
        entry.due = now + entry.interval;
        sift(entry.place);
    }
    return queues;
}

std::uint64_t Throttles::take_early() { return std::exchange(header_->early, 0); }

void Throttles::forget(Index queue) {
    for (Index at = header_->size; at > 0;) {
        if (at > header_->size || entries_[heap_[at - 1]].queue != queue) {
            --at;
            continue;
        }
        const Index entry = heap_[at - 1];
        if (entries_[entry].record != kNone) {
            ring_.release(std::exchange(entries_[entry].record, kNone));
            --header_->waiting;
        }
        remove(entry);  // what comes into its place has been looked at, or is on the way up from here: so this place is looked at again
    }
}

Index Throttles::add(const Key &key, Index queue, std::int64_t now) {
    if (header_->size == capacity_) {
        Entry &first = entries_[heap_[0]];
        if (first.record != kNone) {
            header_->early |= std::uint64_t{1} << first.queue;
            send(first, now);
        }
        remove(heap_[0]);
    }
    const Index made = header_->free;
    header_->free = entries_[made].next;
    entries_[made] = Entry{key, kNone, queue, kNone, 0, now, 0};
    chains_.insert(made);
    place(header_->size++, made);
    sift(entries_[made].place);
    return made;
}

void Throttles::remove(Index entry) {
    chains_.erase(entry);
    const Index at = entries_[entry].place, last = heap_[--header_->size];
    if (last != entry) {
        place(at, last);
        sift(at);
    }
    entries_[entry].next = header_->free;
    header_->free = entry;
}

void Throttles::send(Entry &entry, std::int64_t now) {
    ring_.push(entry.queue, std::exchange(entry.record, kNone), now);
    --header_->waiting;
}

void Throttles::place(Index at, Index entry) {
    heap_[at] = entry;
    entries_[entry].place = at;
}

// Puts the entry at this place of the heap where its time belongs.
void Throttles::sift(Index at) {
    const Index entry = heap_[at];
    const std::int64_t due = entries_[entry].due;
    for (; at > 0 && due < entries_[heap_[(at - 1) / 2]].due; at = (at - 1) / 2) place(at, heap_[(at - 1) / 2]);
    for (;;) {
        Index child = 2 * at + 1;
        if (child >= header_->size) break;
        if (child + 1 < header_->size && entries_[heap_[child + 1]].due < entries_[heap_[child]].due) ++child;
        if (due <= entries_[heap_[child]].due) break;
        place(at, heap_[child]);
        at = child;
    }
    place(at, entry);
}

}  // namespace pulse::ephemeral
