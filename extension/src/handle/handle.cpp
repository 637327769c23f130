// pulse.handle_event and pulse.handle: run the handler of a client's event as pulse_client, in the transaction of this one statement.
#include "handle/answers.hpp"
#include "handle/handler.hpp"
#include "handle/leases.hpp"
#include "json/check.hpp"
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

namespace {

struct Outcome {
    std::string ack, effects;             // no effects: empty
    std::optional<std::string> position;  // null without effects
};

Outcome outcome(Oid owner, std::string ack, std::string_view context_json, const auth::Context &context, Effects &effects) {
    if (effects.empty()) return {std::move(ack), {}, std::nullopt};
    const auto position = position_of(owner, effects);
    store_effects(owner, context_json, context, effects, position);
    return {std::move(ack), effects.json(), text_of(position)};
}

Outcome run(Oid owner, const std::string &name, const std::string &event, Datum args, std::string_view context_json, Datum attachments) {
    auth::Context context = read_context(context_json);
    context.namespace_name = name;
    limits::take_for_event(name, event, context);

    const std::shared_ptr<Handler> handler = find_handler(name, event);
    if (!handler) {
        const pg::OwnerScope scope(owner);
        fail_without_handler(name, event);
    }
    auto prepared = handler->take(owner);
    std::optional<Answer> answer;
    if (handler->key && context.user_id) answer = Answer::claim(owner, *handler->key, pg::view(args), *context.user_id, name, event);

    Effects effects;
    const auth::Scope scope(context, attachments);
    if (answer && answer->stored()) {
        within_deadline("joining again", [&] { answer->rejoin(owner, effects); });
        handler->put_back(std::move(prepared));
        return outcome(owner, answer->ack(), context_json, context, effects);
    }
    const std::string ack = run_as_client(
        rooms::client_role(), "handler " + handler->function, [&] { return ack_of(prepared->callable()({args})); }, pg::view(args));
    handler->put_back(std::move(prepared));
    Effects::Message message = effects.message(ack);
    if (!message.attachments.empty()) effects.add("{\"attach\":" + message.attachments + "}");
    if (answer) answer->store(owner, message.json, effects.json());
    return outcome(owner, std::move(message.json), context_json, context, effects);
}

Datum row_of(FunctionCallInfo fcinfo, const Outcome &outcome) {
    Datum values[3] = {pg::text_datum(outcome.ack), pg::text_datum(outcome.effects.empty() ? "[]" : outcome.effects),
                       outcome.position ? pg::text_datum(*outcome.position) : Datum(0)};
    bool nulls[3] = {false, false, !outcome.position};
    return pg::call([&] {
        TupleDesc desc;
        if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) elog(ERROR, "pulse.handle returns a row");
        return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
    });
}

Datum attachments_argument(FunctionCallInfo fcinfo, int n) { return pg::arg_is_null(fcinfo, n) ? Datum(0) : pg::arg(fcinfo, n); }

// JSON that comes as text: checked here, which costs a fraction of what the type json takes for it.
std::string_view json_argument(FunctionCallInfo fcinfo, int n, const char *name) {
    const std::string_view text = pg::view(pg::arg(fcinfo, n));
    std::string compact;
    if (const auto error = json::check(text, compact)) pg::fail(kBadRequest, std::string(name) + " is no JSON: " + error->message);
    return text;
}

}  // namespace

}  // namespace pulse::handle

using namespace pulse;

PULSE_FN(pulse_handle) {
    const std::string name = handle::text_argument(fcinfo, 0, "namespace");
    const std::string event = handle::text_argument(fcinfo, 1, "event");
    if (pg::arg_is_null(fcinfo, 2)) pg::fail(handle::kBadRequest, "args is missing");
    if (pg::arg_is_null(fcinfo, 3)) pg::fail(handle::kBadRequest, "context is missing");
    const Datum args = pg::arg(fcinfo, 2);
    if (json::kind(pg::view(args)) != json::Kind::kArray) pg::fail(handle::kBadRequest, "args is no JSON array");
    return handle::row_of(fcinfo, handle::run(pg::function_owner(fcinfo), name, event, args, pg::view(pg::arg(fcinfo, 3)),
                                              handle::attachments_argument(fcinfo, 4)));
}

// What pulse.handle does, for one value in and out: no row is built and none is scanned.
PULSE_FN(pulse_handle_event) {
    const std::string name = handle::text_argument(fcinfo, 0, "namespace");
    const std::string event = handle::text_argument(fcinfo, 1, "event");
    if (pg::arg_is_null(fcinfo, 2)) pg::fail(handle::kBadRequest, "args is missing");
    if (pg::arg_is_null(fcinfo, 3)) pg::fail(handle::kBadRequest, "context is missing");
    if (json::kind(handle::json_argument(fcinfo, 2, "args")) != json::Kind::kArray) pg::fail(handle::kBadRequest, "args is no JSON array");
    const handle::Outcome outcome = handle::run(pg::function_owner(fcinfo), name, event, pg::arg(fcinfo, 2),
                                                handle::json_argument(fcinfo, 3, "context"), handle::attachments_argument(fcinfo, 4));
    if (outcome.effects.empty()) return pg::text_datum(outcome.ack);
    return pg::text_datum("{\"ack\":" + outcome.ack + ",\"effects\":" + outcome.effects +
                          ",\"position\":" + (outcome.position ? json::quoted(*outcome.position) : "null") + "}");
}
