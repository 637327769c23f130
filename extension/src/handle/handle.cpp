// pulse.handle: runs the handler of a client's event as pulse_client, in the transaction of this one statement.
#include "handle/answers.hpp"
#include "handle/leases.hpp"
#include "json/slice.hpp"
#include "limits/take.hpp"
#include "rooms/function.hpp"

namespace pulse::handle {

struct Handler {
    std::string function;
    std::optional<std::string> key;  // template of the idempotency key
};

// The application's handler wins over a pack's. Inside an OwnerScope and an SpiSession.
static Handler find_handler(const std::string &name, const std::string &event) {
    static pg::Plan plan("SELECT h.function, h.key FROM _pulse.handlers h WHERE h.namespace = $1 AND h.event = $2 AND (h.extension IS NULL "
                         "OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = h.extension)) "
                         "ORDER BY h.extension IS NOT NULL LIMIT 1");
    if (plan.run({pg::param_text(name), pg::param_text(event)}, true) > 0) {
        const pg::Row row = pg::result_row();
        Handler handler{std::string(row.text(1)), std::nullopt};
        if (const auto key = row.optional_text(2)) handler.key = std::string(*key);
        return handler;
    }
    if (!namespace_exists(name)) pg::fail(kNotFound, "Invalid namespace");
    pg::fail(kNotFound, "no handler for event \"" + event + "\" in namespace \"" + name + "\"", {},
             "Handlers are registered with pulse.on(event, function, namespace).");
}

// An array is the ack's arguments, NULL is none, anything else is the one argument.
static std::string ack_of(const std::optional<Datum> &result) {
    if (!result) return "[]";
    std::string text = json::compact(pg::view(*result));
    return json::kind(text) == json::Kind::kArray ? text : "[" + text + "]";
}

static Datum row_of(FunctionCallInfo fcinfo, const std::string &ack, const std::string &effects, const std::optional<Cursor> &at) {
    const std::optional<std::string> position = text_of(at);
    Datum values[3] = {pg::text_datum(ack), pg::text_datum(effects), position ? pg::text_datum(*position) : Datum(0)};
    bool nulls[3] = {false, false, !position};
    return pg::call([&] {
        TupleDesc desc;
        if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) elog(ERROR, "pulse.handle returns a row");
        return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
    });
}

}  // namespace pulse::handle

using namespace pulse;

PULSE_FN(pulse_handle) {
    const Oid owner = pg::function_owner(fcinfo);
    const std::string name = handle::text_argument(fcinfo, 0, "namespace");
    const std::string event = handle::text_argument(fcinfo, 1, "event");
    if (pg::arg_is_null(fcinfo, 2)) pg::fail(handle::kBadRequest, "args is missing");
    const Datum args = pg::arg(fcinfo, 2);
    if (json::kind(pg::view(args)) != json::Kind::kArray) pg::fail(handle::kBadRequest, "args is no JSON array");
    auth::Context context = handle::context_argument(fcinfo, 3);
    context.namespace_name = name;
    const Datum attachments = pg::arg_is_null(fcinfo, 4) ? Datum(0) : pg::arg(fcinfo, 4);
    const MemoryContext memory = CurrentMemoryContext;
    limits::take_for_event(owner, name, event, context);

    std::optional<handle::Cursor> position;
    std::optional<rooms::Callable> function;
    handle::Handler handler;
    {
        pg::OwnerScope scope(owner);
        {
            pg::SpiSession spi;
            handler = handle::find_handler(name, event);
            position = handle::cursor();
        }
        function.emplace(handler.function, rooms::kHandlerShape, memory);
    }
    std::optional<handle::Answer> answer;
    if (handler.key && context.user_id) answer = handle::Answer::claim(owner, *handler.key, pg::view(args), *context.user_id, name, event);

    handle::Effects effects;
    auth::Scope scope(context, attachments);
    if (answer && answer->stored()) {
        handle::within_deadline("joining again", [&] { answer->rejoin(owner, effects); });
        handle::store_effects(owner, pg::view(pg::arg(fcinfo, 3)), context, effects, position);
        return handle::row_of(fcinfo, answer->ack(), effects.json(), position);
    }
    std::string ack = handle::run_as_client(
        rooms::client_role(), "handler " + handler.function, [&] { return handle::ack_of((*function)({args})); }, pg::view(args));
    handle::Effects::Message message = effects.message(ack);
    ack = std::move(message.json);
    if (!message.attachments.empty()) effects.add("{\"attach\":" + message.attachments + "}");
    if (answer) answer->store(owner, ack, effects.json());
    handle::store_effects(owner, pg::view(pg::arg(fcinfo, 3)), context, effects, position);
    return handle::row_of(fcinfo, ack, effects.json(), position);
}
