// pulse.handle_answer: what a client answered to pulse.ask, or that nobody did. Runs like a handler; its result is ignored.
#include "handle/leases.hpp"
#include "json/slice.hpp"
#include "rooms/function.hpp"

using namespace pulse;

PULSE_FN(pulse_handle_answer) {
    const Oid owner = pg::function_owner(fcinfo);
    const std::string name = handle::text_argument(fcinfo, 0, "on_answer");
    std::optional<Datum> args;
    if (!pg::arg_is_null(fcinfo, 1)) args = pg::arg(fcinfo, 1);
    if (args && json::kind(pg::view(*args)) != json::Kind::kArray) pg::fail(handle::kBadRequest, "args is no JSON array");
    const auth::Context context = handle::context_argument(fcinfo, 2);
    const Datum attachments = pg::arg_is_null(fcinfo, 3) ? Datum(0) : pg::arg(fcinfo, 3);
    const MemoryContext memory = CurrentMemoryContext;

    std::optional<rooms::Callable> function;
    {
        const pg::OwnerScope scope(owner);
        function.emplace(name, rooms::kAnswerShape, memory);
    }
    handle::Effects effects;
    {
        const auth::Scope scope(context, attachments);
        handle::run_as_client(
            rooms::client_role(), "answer function " + name, [&] { return (*function)({args}); },
            args ? pg::view(*args) : std::string_view());
    }
    const auto position = handle::position_of(owner, effects);
    handle::store_effects(owner, pg::view(pg::arg(fcinfo, 2)), context, effects, position);

    const std::optional<std::string> cursor = handle::text_of(position);
    Datum values[2] = {pg::text_datum(effects.json()), cursor ? pg::text_datum(*cursor) : Datum(0)};
    bool nulls[2] = {false, !cursor};
    return pg::call([&] {
        TupleDesc desc;
        if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) elog(ERROR, "pulse.handle_answer returns a row");
        return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
    });
}
