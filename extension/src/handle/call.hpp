// What the functions of this folder share: one running call of the bridge. Time limit, position, refusals.
// User code runs as pulse_client inside run_as_client(); everything else here runs as the extension's owner.
#pragma once

#include "auth/context.hpp"
#include "guc.hpp"
#include "handle/codes.hpp"
#include "handle/effects.hpp"
#include "pg/leftovers.hpp"
#include "pg/run_as.hpp"
#include "pg/spi.hpp"
#include "pg/time_limit.hpp"

namespace pulse::handle {

struct Cursor {
    std::string epoch;
    int64 position = 0;
    std::string text() const { return epoch + ":" + std::to_string(position); }
};
// Where the active snapshot stands; nullopt before the first dispatcher. Inside OwnerScope and SpiSession.
std::optional<Cursor> cursor();
// The same after a call, for what it asked of the bridge; without effects nobody needs it, and it is not looked up.
std::optional<Cursor> position_of(Oid owner, const Effects &effects);
inline std::optional<std::string> text_of(const std::optional<Cursor> &cursor) {
    return cursor ? std::optional(cursor->text()) : std::nullopt;
}
// A cursor that a client gave back: its position, or the reason why it cannot be continued from. `now` spares a look into the
// tables for the usual one, of this epoch and not from the future. Inside OwnerScope and SpiSession.
struct CheckedCursor {
    int64 position = 0;
    std::optional<std::string> reason;
};
CheckedCursor check_cursor(std::string_view text, const std::optional<Cursor> &now);

auth::Context read_context(std::string_view json);  // raises PL400
auth::Context context_argument(FunctionCallInfo fcinfo, int n);
std::string text_argument(FunctionCallInfo fcinfo, int n, const char *name);
std::string room_argument(FunctionCallInfo fcinfo, int n);  // of a function that user code calls

std::optional<int64> integer(const std::optional<std::string_view> &json);  // of a JSON number

bool namespace_exists(std::string_view name);  // inside OwnerScope and SpiSession

// What to raise for an error under the limit: a cancel of its timer says what ran too long.
pg::Raised explain(const pg::Raised &error, const std::string &what, const pg::TimeLimit &limit);

// Runs f for at most pulse.handler_timeout. `what` names it in the error.
template <class F>
auto within_deadline(const std::string &what, F &&f) {
    const pg::TimeLimit limit(guc::handler_timeout, guc::handler_timeout);
    std::optional<pg::Raised> error;
    try {
        if constexpr (std::is_void_v<decltype(f())>) {
            f();
            limit.check();
            return;
        } else {
            auto result = f();
            limit.check();
            return result;
        }
    } catch (const pg::Error &e) {
        error = e.raised();
    }
    throw pg::Error(explain(*error, what, limit));
}

// The error of a function that stumbled over a text of the client's JSON which no text value can hold is the client's.
pg::Raised blame(const pg::Raised &error, std::string_view given);

// Runs user code as pulse_client under the deadline, and then the constraints that it deferred; leaves nothing in the session.
// `given` is the JSON of the client that it looks into.
template <class F>
auto run_as_client(Oid client, const std::string &what, F &&f, std::string_view given = {}) {
    const auto run = [&] {
        pg::RunAs role(client);
        const pg::Leftovers leftovers;
        auto result = f();
        pg::force_deferred();
        leftovers.drop_temporary();
        return result;
    };
    std::optional<pg::Raised> error;
    try {
        return within_deadline(what, run);
    } catch (const pg::Error &e) {
        error = e.raised();
    }
    throw pg::Error(blame(*error, given));
}

}  // namespace pulse::handle
