// pulse.decide: the bridge asks about many operations at once. A join that is allowed is stored in its session; one that wants
// what it missed since a cursor gets all of that, or a reason why not.
#include "handle/decide.hpp"
#include "handle/sessions.hpp"
#include "json/slice.hpp"
#include "pg/log_state.hpp"

#include <algorithm>

namespace pulse::handle {

namespace {

// A request with what only joins have.
struct Asked {
    std::optional<std::string> session, since;
    std::optional<int64> generation;
    std::optional<int64> replay_from;
    std::optional<std::string> must_refetch;
};

// Fills `request` and `asked`; a malformed request is left without a context, which denies it.
void parse(std::string_view text, Request &request, Asked &asked, auth::Context &context) {
    const auto members = json::members(text);
    if (!members) {
        request.reason = "the request is no JSON object";
        return;
    }
    const auto operation = json::unescape(json::find(*members, "operation").value_or(""));
    const auto room = json::unescape(json::find(*members, "room").value_or(""));
    if (!operation || !room) {
        request.reason = !operation ? "operation is no string" : "room is no string";
        return;
    }
    request.operation = *operation;
    request.room = *room;
    auto parsed = auth::parse_context(json::find(*members, "context").value_or(""), &request.reason);
    if (!parsed) return;
    context = std::move(*parsed);
    request.context = &context;
    if (request.operation != "join") return;
    if (const auto session = json::find(*members, "session")) asked.session = json::unescape(*session);
    if (const auto since = json::find(*members, "since"); since && json::kind(*since) != json::Kind::kNull)
        asked.since = json::unescape(*since).value_or("");
    asked.generation = integer(json::find(*members, "generation"));
}

// Why the events since the request's cursor cannot be given; else where they begin.
void check_since(const Request &request, Asked &asked, const std::optional<Cursor> &position) {
    const CheckedCursor checked = check_cursor(*asked.since, position);
    if (checked.reason) {
        asked.must_refetch = checked.reason;
        return;
    }
    const Subject subject{request.context->user_id, text_claim(*request.context, "jti"), {request.room}};
    const auto evictions = evictions_after(checked.position, subject);
    if (std::any_of(evictions.begin(), evictions.end(),
                    [&](const Eviction &eviction) { return !eviction.room || eviction.room == request.room; }))
        asked.must_refetch = "evicted";
    else if (checked.position < pg::log_floor() - 1)  // evictions may have gone while they were read
        asked.must_refetch = "expired";
    else
        asked.replay_from = checked.position;
}

// Of the joins that are allowed: may they see what was before?
void decide_history(Oid owner, const std::vector<Request> &requests, std::vector<Asked> &asked, const std::optional<Cursor> &position) {
    std::vector<std::size_t> which;
    std::vector<Request> history;
    for (std::size_t n = 0; n < requests.size(); ++n) {
        if (!requests[n].allowed || !asked[n].since) continue;
        which.push_back(n);
        history.push_back({"history", requests[n].room, requests[n].context, false, {}});
    }
    if (which.empty()) return;
    decide_all(owner, history);
    const LogScope scope(owner);
    for (std::size_t n = 0; n < which.size(); ++n) {
        if (history[n].allowed)
            check_since(requests[which[n]], asked[which[n]], position);
        else
            asked[which[n]].must_refetch = "forbidden";
    }
}

// A connection whose session has gone to another one joins nothing more: a room that is not stored would be missing from a recovery.
void store_joins(Oid owner, std::vector<Request> &requests, const std::vector<Asked> &asked, const std::optional<Cursor> &position) {
    std::map<std::string, std::vector<Change>> changes;
    for (std::size_t n = 0; n < requests.size(); ++n)
        if (requests[n].allowed && asked[n].session)
            changes[*asked[n].session].push_back(
                {Change::Kind::kJoin, requests[n].room, position ? position->position : 0, asked[n].generation});
    if (changes.empty()) return;
    const LogScope scope(owner);
    const auto generations = apply(changes);
    for (std::size_t n = 0; n < requests.size(); ++n) {
        if (!requests[n].allowed || !asked[n].session || !asked[n].generation) continue;
        const auto stored = generations.find(*asked[n].session);
        if (stored == generations.end() || stored->second <= *asked[n].generation) continue;
        requests[n].allowed = false;
        requests[n].reason = "the session has gone to another connection";
    }
}

// A policy's own words as PostgreSQL has them, so that a bridge reads them as it does those of a handler. null: it said none.
Datum words(const Request &request) {
    if (!request.refusal) return Datum(0);
    const pg::Raised &raised = *request.refusal;
    return pg::text_datum("{\"sqlstate\":" + json::quoted(unpack_sql_state(raised.sqlstate)) +
                          ",\"message\":" + json::quoted(raised.message) + ",\"hint\":" + json::quoted(raised.hint) +
                          ",\"detail\":" + json::quoted(raised.detail) + "}");
}

}  // namespace

}  // namespace pulse::handle

using namespace pulse;

PULSE_FN(pulse_decide) {
    const Oid owner = pg::function_owner(fcinfo);
    if (pg::arg_is_null(fcinfo, 0)) pg::fail(handle::kBadRequest, "requests is missing");
    const auto elements = json::elements(pg::view(pg::arg(fcinfo, 0)));
    if (!elements) pg::fail(handle::kBadRequest, "requests is no JSON array");
    std::vector<handle::Request> requests(elements->size());
    std::vector<handle::Asked> asked(elements->size());
    std::vector<auth::Context> contexts(elements->size());
    for (std::size_t n = 0; n < elements->size(); ++n) handle::parse((*elements)[n], requests[n], asked[n], contexts[n]);
    std::optional<handle::Cursor> position;
    {
        pg::OwnerScope scope(owner);
        pg::SpiSession spi;
        position = handle::cursor();
    }
    handle::within_deadline("deciding", [&] {
        handle::decide_all(owner, requests);
        handle::decide_history(owner, requests, asked, position);
    });
    handle::store_joins(owner, requests, asked, position);

    pg::call([&] { InitMaterializedSRF(fcinfo, 0); });
    auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    const Datum cursor = position ? pg::text_datum(position->text()) : Datum(0);
    for (std::size_t n = 0; n < requests.size(); ++n) {
        const handle::Asked &more = asked[n];
        const bool answered = requests[n].allowed && more.since;
        const Datum words = handle::words(requests[n]);
        // Version 1.0 has the first four.
        Datum values[8] = {Int32GetDatum(static_cast<int32>(n)),
                           BoolGetDatum(requests[n].allowed),
                           pg::text_datum(requests[n].reason),
                           cursor,
                           BoolGetDatum(!more.must_refetch),
                           more.must_refetch ? pg::text_datum(*more.must_refetch) : Datum(0),
                           Int64GetDatum(more.replay_from.value_or(0)),
                           words};
        bool nulls[8] = {false, false, false, !position, !answered, !more.must_refetch, !more.replay_from, words == Datum(0)};
        pg::call([&] { tuplestore_putvalues(result->setResult, result->setDesc, values, nulls); });
    }
    return Datum(0);
}
