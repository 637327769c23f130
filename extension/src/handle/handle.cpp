// pulse.handle: runs the handler of a client's event as pulse_client, in the transaction of this one statement.
#include "handle/answers.hpp"
#include "handle/handler.hpp"
#include "handle/leases.hpp"
#include "json/slice.hpp"
#include "limits/take.hpp"
#include "rooms/function.hpp"

namespace pulse::handle {

[[noreturn]] static void fail_without_handler(const std::string &name, const std::string &event) {
    {
        const pg::SpiSession spi;
        if (!namespace_exists(name)) pg::fail(kNotFound, "Invalid namespace");
    }
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
    limits::take_for_event(name, event, context);

    const auto found = handle::find_handler(name, event);
    std::optional<rooms::Callable> function;
    {
        pg::OwnerScope scope(owner);
        if (!found) handle::fail_without_handler(name, event);
        function.emplace(found->function, rooms::kHandlerShape, memory);
    }
    const handle::Handler &handler = *found;
    std::optional<handle::Answer> answer;
    if (handler.key && context.user_id) answer = handle::Answer::claim(owner, *handler.key, pg::view(args), *context.user_id, name, event);

    handle::Effects effects;
    auth::Scope scope(context, attachments);
    if (answer && answer->stored()) {
        handle::within_deadline("joining again", [&] { answer->rejoin(owner, effects); });
        const auto position = handle::position_of(owner, effects);
        handle::store_effects(owner, pg::view(pg::arg(fcinfo, 3)), context, effects, position);
        return handle::row_of(fcinfo, answer->ack(), effects.json(), position);
    }
    std::string ack = handle::run_as_client(
        rooms::client_role(), "handler " + handler.function, [&] { return handle::ack_of((*function)({args})); }, pg::view(args));
    handle::Effects::Message message = effects.message(ack);
    ack = std::move(message.json);
    if (!message.attachments.empty()) effects.add("{\"attach\":" + message.attachments + "}");
    if (answer) answer->store(owner, ack, effects.json());
    const auto position = handle::position_of(owner, effects);
    handle::store_effects(owner, pg::view(pg::arg(fcinfo, 3)), context, effects, position);
    return handle::row_of(fcinfo, ack, effects.json(), position);
}
