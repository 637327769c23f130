// Which events of a range of positions are for any of some rooms: each once, by position. Callers are pulse.bridge_history and
// handle/history. Runs inside a caller's OwnerScope and SpiSession, with the planner settings of api/log.sql. May throw pg::Error.
#pragma once

#include "pg/spi.hpp"

namespace pulse::log {

// PL410: a cursor cannot be continued; the reason word is the DETAIL (docs/reference/history.md).
constexpr int kMustRefetch = MAKE_SQLSTATE('P', 'L', '4', '1', '0');
[[noreturn]] void must_refetch(std::string_view reason);
// Raises when positions after this one may be gone. Before the first read and again after the last row: TRUNCATE is not MVCC.
void check_floor(int64 after);

struct Found {
    int64 position;
    uint64 xid;
    int64 id;
};

// after < position <= up_to, at most max_events. Reads the range itself when it is small against the number of rooms, else the
// deliveries of each room; bounded by rooms and max_events, never by the length of the range.
std::vector<Found> find(std::vector<std::string_view> rooms, int64 after, int64 up_to, int64 max_events);

// The three parameters of a plan that reads the rows found: positions bigint[], xids xid8[], ids bigint[].
using FoundParams = std::array<pg::Plan::Param, 3>;
FoundParams params_of(const std::vector<Found> &found);

// Finds and reads until max_events rows were read or there are no more: read(params) returns how many it got. An event whose row
// somebody has deleted takes no place of a page, so a page that is not full is the last one.
template <class Read>
void read_page(const std::vector<std::string_view> &rooms, int64 after, int64 up_to, int64 max_events, Read &&read) {
    while (max_events > 0) {
        const std::vector<Found> found = find(rooms, after, up_to, max_events);
        const auto rows = static_cast<int64>(read(params_of(found)));
        if (static_cast<int64>(found.size()) < max_events) return;
        after = found.back().position;
        max_events -= rows;
    }
}

}  // namespace pulse::log
