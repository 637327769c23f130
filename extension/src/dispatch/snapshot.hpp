// A snapshot by value, with 64-bit transaction ids: what the dispatcher compares. Pure: no backend.
// "Ended between P and S" is the whole rule of dispatching; see README.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pulse::dispatch {

struct TxSnapshot {
    std::uint64_t xmin = 0;          // every id below has ended
    std::uint64_t xmax = 0;          // no id from here on has ended
    std::vector<std::uint64_t> xip;  // running ones in between, ascending

    bool running(std::uint64_t xid) const;  // xid is in xip
    std::string text() const;               // PostgreSQL's pg_snapshot: xmin:xmax:xip,xip
    static std::optional<TxSnapshot> parse(std::string_view text);
    bool operator==(const TxSnapshot &) const = default;
};

// The transactions that ended between P and S, in two parts: listed ones, and a range with exceptions.
struct Ended {
    std::vector<std::uint64_t> listed;         // xip(P) \ xip(S)
    std::uint64_t from = 0, to = 0;            // [xmax(P), xmax(S)) …
    std::vector<std::uint64_t> still_running;  // … without xip(S)
    bool empty() const { return listed.empty() && from >= to; }
};

Ended ended_between(const TxSnapshot &before, const TxSnapshot &upto);

}  // namespace pulse::dispatch
