// Every SQL text that the bridge sends, named. Nothing else in the bridge holds SQL. Contract: docs/reference/bridge.md.
// Statements with parameters are prepared under their name on each connection that uses them.
#pragma once

#include <string>
#include <string_view>

namespace bridge::db {

// Every name is qualified, types too: pg_temp comes before pg_catalog, and a handler that ran in this session may have left a type there.
struct Query {
    const char *name;
    const char *sql;
    int parameters;
};

inline constexpr Query kHello{"bridge_hello", "SELECT pulse.bridge_hello($1, $2)", 2};

// attachments as a JSON array of hex strings: one form, whatever bytea_output says
inline constexpr Query kRead{"bridge_read",
                             "SELECT position, id, rooms, name, headers, payload,"
                             " (SELECT pg_catalog.json_agg(pg_catalog.encode(a.bytes, 'hex') ORDER BY a.n)"
                             "    FROM pg_catalog.unnest(attachments) WITH ORDINALITY AS a(bytes, n))"
                             " FROM pulse.bridge_read($1::pg_catalog.int8, $2::pg_catalog.int8, $3::pg_catalog.int4)",
                             3};

// the same columns; the rooms as one array, so that any number of sessions share the question
inline constexpr Query kHistory{"bridge_history",
                                "SELECT position, id, rooms, name, headers, payload,"
                                " (SELECT pg_catalog.json_agg(pg_catalog.encode(a.bytes, 'hex') ORDER BY a.n)"
                                "    FROM pg_catalog.unnest(attachments) WITH ORDINALITY AS a(bytes, n))"
                                " FROM pulse.bridge_history($1::pg_catalog.text[], $2::pg_catalog.int8, $3::pg_catalog.int8,"
                                " $4::pg_catalog.int4)",
                                4};

inline constexpr Query kConnect{"handle_connect", "SELECT pulse.handle_connect($1, $2::pg_catalog.json)", 2};

inline constexpr Query kRefresh{"handle_refresh", "SELECT pulse.handle_refresh($1, $2::pg_catalog.json)", 2};

inline constexpr Query kHandle{"handle", "SELECT pulse.handle_event($1, $2, $3, $4, $5::pg_catalog.bytea[])", 5};

inline constexpr Query kRequest{"handle_request", "SELECT pulse.handle_request($1, $2, $3::pg_catalog.json, $4::pg_catalog.json)", 4};

inline constexpr Query kAnswer{"handle_answer",
                               "SELECT effects, position"
                               " FROM pulse.handle_answer($1, $2::pg_catalog.json, $3::pg_catalog.json, $4::pg_catalog.bytea[])",
                               4};

inline constexpr Query kDecide{"decide",
                               "SELECT n, allowed, reason, position, recovered, must_refetch, since, error"
                               " FROM pulse.decide($1::pg_catalog.json) ORDER BY n",
                               1};

inline constexpr Query kSessions{"bridge_sessions", "SELECT pulse.bridge_sessions($1, $2::pg_catalog.json)", 2};

inline constexpr Query kRevocations{"bridge_revocations", "SELECT pulse.bridge_revocations()", 0};

inline constexpr Query kStatus{"status", "SELECT pulse.status()", 0};

inline constexpr Query kQueues{"queues", "SELECT coalesce(pg_catalog.json_agg(q), '[]'::pg_catalog.json) FROM pulse.queue_depths() q", 0};

// A channel name is data of the dispatcher, but LISTEN takes no parameter: only [a-z0-9_] is let through.
inline std::string listen(std::string_view channel) { return "LISTEN \"" + std::string(channel) + "\""; }
inline constexpr const char *kUnlistenAll = "UNLISTEN *";

inline bool is_channel(std::string_view channel) {
    if (channel.empty() || channel.size() > 63) return false;
    return channel.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

}  // namespace bridge::db
