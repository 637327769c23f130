#include "ephemeral/sampler.hpp"

#include "pg/pure.hpp"

namespace pulse::ephemeral {

std::size_t Sampler::bytes(Index entries) {
    return sizeof(Header) + entries * sizeof(Entry) + Chains<Entry>::buckets(entries) * sizeof(Index);
}

Sampler::Sampler(void *memory, Index entries)
    : capacity_(entries), header_(static_cast<Header *>(memory)), entries_(reinterpret_cast<Entry *>(header_ + 1)),
      chains_(reinterpret_cast<Index *>(entries_ + entries), Chains<Entry>::buckets(entries), entries_) {}

void Sampler::format() {
    *header_ = Header{0, kNone, kNone, 0};
    chains_.format();
    for (Index i = 0; i < capacity_; ++i) entries_[i].next = i + 1 < capacity_ ? i + 1 : kNone;
}

bool Sampler::take(const Key &key, std::uint64_t every) {
    Index found = chains_.find(key);
    if (found != kNone) {
        unlink(found);
    } else {
        if (header_->free == kNone) {
            const Index oldest = header_->oldest;
            unlink(oldest);
            chains_.erase(oldest);
            entries_[oldest].next = kNone;
            header_->free = oldest;
        }
        found = header_->free;
        header_->free = entries_[found].next;
        entries_[found].key = key;
        entries_[found].count = 0;
        chains_.insert(found);
    }
    link(found);
    return entries_[found].count++ % every == 0;
}

void Sampler::unlink(Index entry) {
    const Entry &gone = entries_[entry];
    (gone.newer == kNone ? header_->newest : entries_[gone.newer].older) = gone.older;
    (gone.older == kNone ? header_->oldest : entries_[gone.older].newer) = gone.newer;
}

void Sampler::link(Index entry) {
    entries_[entry].newer = kNone;
    entries_[entry].older = header_->newest;
    (header_->newest == kNone ? header_->oldest : entries_[header_->newest].newer) = entry;
    header_->newest = entry;
}

}  // namespace pulse::ephemeral
