// The two ways to find a range's events for rooms.
#include "log/find.hpp"

#include "pg/log_state.hpp"

#include <algorithm>
#include <unordered_set>

namespace pulse::log {

namespace {

constexpr int64 kRangePage = 1000;
// Reading an event of the range costs less than looking for a room, and both grow by one.
constexpr int64 kRangePerRoom = 2;

bool earlier(const Found &a, const Found &b) { return a.position < b.position; }

std::vector<Found> by_range(const std::vector<std::string_view> &rooms, int64 after, int64 up_to, int64 max_events) {
    static pg::Plan plan("SELECT p.position, p.xid, p.id, e.rooms FROM _pulse.positions($1, $2, $3) p "
                         "LEFT JOIN pulse.events e ON e.xid = p.xid AND e.id = p.id ORDER BY p.position");
    const std::unordered_set<std::string_view> wanted(rooms.begin(), rooms.end());
    std::vector<Found> found;
    for (;;) {
        int64 last = after;
        const uint64 rows = plan.for_each(
            {pg::param_int8(after), pg::param_int8(up_to), pg::param_int8(kRangePage)},
            [&](const pg::Row &row) {
                last = row.int8(1);
                if (static_cast<int64>(found.size()) == max_events || row.is_null(4)) return;
                for (const auto &room : pg::text_array(row.datum(4))) {
                    if (!room || !wanted.contains(*room)) continue;
                    found.push_back({last, row.xid8(2), row.int8(3)});
                    break;
                }
            },
            true);
        if (rows < static_cast<uint64>(kRangePage) || static_cast<int64>(found.size()) == max_events) return found;
        after = last;
    }
}

// A room that may have more, and where to go on.
struct Waiting {
    std::string_view room;
    int64 after;
    int64 rows = 0;
};

// A few rows of each room first, then more of those that had so many and can still matter: a hot room among thousands of quiet
// ones is asked again alone.
std::vector<Found> by_rooms(const std::vector<std::string_view> &rooms, int64 after, int64 up_to, int64 max_events) {
    static pg::Plan plan(
        "SELECT r.n, d.position, d.xid, d.event_id FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS r (room, after, n) "
        "CROSS JOIN LATERAL (SELECT d.position, d.xid, d.event_id FROM pulse.deliveries d "
        "WHERE d.room = r.room AND d.position > r.after AND d.position <= $3 ORDER BY d.position LIMIT $4) d");
    std::vector<Waiting> waiting;
    waiting.reserve(rooms.size());
    for (const auto room : rooms) waiting.push_back({room, after});
    std::vector<Found> found;
    int64 limit = std::clamp(2 * max_events / static_cast<int64>(rooms.size()), int64{8}, max_events);
    while (!waiting.empty()) {
        std::vector<std::string_view> names;
        std::vector<int64> afters;
        for (const Waiting &one : waiting) {
            names.push_back(one.room);
            afters.push_back(one.after);
        }
        plan.for_each(
            {{TEXTARRAYOID, pg::text_array_datum(names)},
             {INT8ARRAYOID, pg::int8_array_datum(afters)},
             pg::param_int8(up_to),
             pg::param_int8(limit)},
            [&](const pg::Row &row) {
                Waiting &one = waiting[static_cast<std::size_t>(row.int8(1) - 1)];
                one.after = std::max(one.after, row.int8(2));
                ++one.rows;
                found.push_back({row.int8(2), row.xid8(3), row.int8(4)});
            },
            true);
        std::sort(found.begin(), found.end(), earlier);
        found.erase(std::unique(found.begin(), found.end(), [](const Found &a, const Found &b) { return a.position == b.position; }),
                    found.end());
        int64 enough = up_to;
        if (static_cast<int64>(found.size()) >= max_events) {
            found.resize(static_cast<std::size_t>(max_events));
            enough = found.back().position;
        }
        std::erase_if(waiting, [&](const Waiting &one) { return one.rows < limit || one.after >= enough; });
        for (Waiting &one : waiting) one.rows = 0;
        limit = std::min(limit * 2, max_events);
    }
    return found;
}

}  // namespace

void must_refetch(std::string_view reason) {
    pg::fail(kMustRefetch, "what came after this cursor cannot be told completely: fetch anew", reason,
             "Read the current state and go on from the position read with it.");
}

void check_floor(int64 after) {
    if (std::max(after, int64{0}) < pg::log_floor() - 1) must_refetch("expired");
}

std::vector<Found> find(std::vector<std::string_view> rooms, int64 after, int64 up_to, int64 max_events) {
    std::sort(rooms.begin(), rooms.end());
    rooms.erase(std::unique(rooms.begin(), rooms.end()), rooms.end());
    after = std::max(after, int64{0});  // positions count from 1
    if (rooms.empty() || max_events <= 0 || up_to <= after) return {};
    if (up_to - after <= kRangePerRoom * static_cast<int64>(rooms.size())) return by_range(rooms, after, up_to, max_events);
    return by_rooms(rooms, after, up_to, max_events);
}

FoundParams params_of(const std::vector<Found> &found) {
    std::vector<int64> positions, ids;
    std::vector<uint64> xids;
    for (const Found &one : found) {
        positions.push_back(one.position);
        xids.push_back(one.xid);
        ids.push_back(one.id);
    }
    return {{{INT8ARRAYOID, pg::int8_array_datum(positions)},
             {XID8ARRAYOID, pg::xid8_array_datum(xids)},
             {INT8ARRAYOID, pg::int8_array_datum(ids)}}};
}

}  // namespace pulse::log
