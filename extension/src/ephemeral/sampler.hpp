// Counts calls with a key, to let one in so many through: the first, then every n-th. A table of fixed size that forgets the key not
// asked for longest; the next call with that one counts as its first. The caller holds the lock. Pure.
#pragma once

#include <cstdint>

#include "ephemeral/index.hpp"

namespace pulse::ephemeral {

class Sampler {
public:
    static std::size_t bytes(Index entries);
    Sampler(void *memory, Index entries);
    void format();

    bool take(const Key &key, std::uint64_t every);

private:
    struct Entry {
        Key key;
        std::uint64_t count;
        Index next, newer, older;
    };
    struct Header {
        Index free, newest, oldest, unused;
    };
    void unlink(Index entry);
    void link(Index entry);

    Index capacity_;
    Header *header_;
    Entry *entries_;
    Chains<Entry> chains_;
};

}  // namespace pulse::ephemeral
