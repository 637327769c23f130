// What handlers ask of the bridge: pulse.join, leave, reply, ask, attach, disconnect.
#include "handle/effects.hpp"

#include <algorithm>

#include "handle/decide.hpp"
#include "handle/response.hpp"
#include "json/base64.hpp"
#include "json/placeholders.hpp"
#include "json/slice.hpp"
#include "names/rules.hpp"
#include "pg/interval.hpp"
#include "rooms/function.hpp"

namespace pulse::handle {

static Effects *current_effects = nullptr;

static void on_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId, void *) {
    if (event == SUBXACT_EVENT_ABORT_SUB && current_effects != nullptr)
        pg::callback("the effects of a subtransaction rolled back", [=] { current_effects->forget_since(id); });
}

Effects::Effects(Of of) : of_(of), outer_(current_effects) {
    static bool registered = false;
    if (!registered) {
        pg::call([] { RegisterSubXactCallback(on_subtransaction, nullptr); });
        registered = true;
    }
    current_effects = this;
}

Effects::~Effects() { current_effects = outer_; }

Effects *Effects::current() { return current_effects; }

NoEffects::NoEffects() : outer_(current_effects), outer_response_(Response::slot()) {
    current_effects = nullptr;
    Response::slot() = nullptr;
}
NoEffects::~NoEffects() {
    current_effects = outer_;
    Response::slot() = outer_response_;
}

void Effects::add(std::string json) { effects_.push_back({GetCurrentSubTransactionId(), std::move(json), std::nullopt, std::nullopt}); }
void Effects::join(const std::string &room) {
    effects_.push_back({GetCurrentSubTransactionId(), "{\"join\":" + json::quoted(room) + "}", std::pair(true, room), std::nullopt});
}
void Effects::leave(const std::string &room) {
    effects_.push_back(
        {GetCurrentSubTransactionId(), "{\"leave\":" + json::quoted(room) + "}", std::pair(false, room), std::pair(room, std::nullopt)});
}
void Effects::track(const std::string &room, const Lease &lease) {
    std::string json = "{\"track\":{\"room\":" + json::quoted(room) + ",\"state\":" + lease.state +
                       ",\"ttl\":" + (lease.ttl ? std::to_string(*lease.ttl) : "null") +
                       ",\"announce\":" + (lease.announce ? "true" : "false") + "}}";
    effects_.push_back({GetCurrentSubTransactionId(), std::move(json), std::nullopt, std::pair(room, lease)});
}
void Effects::untrack(const std::string &room) {
    effects_.push_back(
        {GetCurrentSubTransactionId(), "{\"untrack\":" + json::quoted(room) + "}", std::nullopt, std::pair(room, std::nullopt)});
}
std::size_t Effects::attach(std::string bytes) {
    attachments_.push_back({GetCurrentSubTransactionId(), std::move(bytes)});
    return attachments_.size() - 1;
}

// Ids grow, and what started after `id` and is over by now was inside it.
void Effects::forget_since(SubTransactionId id) {
    while (!effects_.empty() && effects_.back().id >= id) effects_.pop_back();
    while (!attachments_.empty() && attachments_.back().id >= id) attachments_.pop_back();
}

Effects::Message Effects::message(std::string_view text) const {
    const std::string compact = json::compact(text);
    if (attachments_.empty()) return {compact, {}};  // then a placeholder is data like any other
    Message message;
    std::vector<std::size_t> used;
    std::size_t from = 0;
    for (const json::Placeholder &placeholder : json::placeholders(compact)) {
        if (!placeholder.num || *placeholder.num >= attachments_.size())
            pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "a placeholder names no attachment", {},
                     "Attached are " + std::to_string(attachments_.size()) + "; pulse.attach(bytes) returns a placeholder.");
        auto number = std::find(used.begin(), used.end(), *placeholder.num);
        if (number == used.end()) number = used.insert(used.end(), *placeholder.num);
        message.json.append(compact, from, placeholder.at - from).append(std::to_string(number - used.begin()));
        from = placeholder.at + placeholder.size;
    }
    message.json.append(compact, from);
    if (used.size() > names::kMaxAttachments)
        pg::fail(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "a message has " + std::to_string(used.size()) + " attachments", {},
                 "It has at most " + std::to_string(names::kMaxAttachments) + ".");
    if (used.empty()) return message;
    message.attachments = "[";
    for (const std::size_t n : used) {
        message.attachments += message.attachments.size() > 1 ? ",\"" : "\"";
        json::append_base64(message.attachments, attachments_[n].bytes);
        message.attachments += '"';
    }
    message.attachments += ']';
    return message;
}

std::string Effects::json() const {
    std::string result = "[";
    for (const Effect &effect : effects_) {
        if (result.size() > 1) result += ',';
        result += effect.json;
    }
    return result += ']';
}

std::vector<std::pair<bool, std::string>> Effects::memberships() const {
    std::vector<std::pair<bool, std::string>> result;
    for (const Effect &effect : effects_)
        if (effect.membership) result.push_back(*effect.membership);
    return result;
}

std::map<std::string, std::optional<Lease>> Effects::presence() const {
    std::map<std::string, std::optional<Lease>> result;
    for (const Effect &effect : effects_)
        if (effect.presence) result[effect.presence->first] = effect.presence->second;
    return result;
}

// For what only handlers and answers may do.
Effects &effects_for(const char *function) {
    if (Effects::current() == nullptr)
        pg::fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, std::string(function) + " works only in a handler", {},
                 "Handlers are registered with pulse.on and run by the bridge.");
    if (Effects::current()->of() == Effects::Of::kConnect)
        pg::fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, std::string(function) + " does not work in a connect function", {},
                 "A connect function returns {\"rooms\":[\"…\"]}, and refuses by pulse.fail.");
    return *Effects::current();
}

// For what is sent to the session; connect functions may do that too.
Effects &messages_for(const char *function) { return Effects::current() != nullptr ? *Effects::current() : effects_for(function); }

static std::string event_argument(FunctionCallInfo fcinfo) {
    if (pg::arg_is_null(fcinfo, 0)) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "event is null");
    std::string event = pg::to_string(pg::arg(fcinfo, 0));
    if (const auto problem = names::check_event_name(event)) pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, problem->message, {}, problem->hint);
    return event;
}

static Effects::Message payload_argument(FunctionCallInfo fcinfo, const Effects &effects) {
    return pg::arg_is_null(fcinfo, 1) ? Effects::Message{"null", {}} : effects.message(pg::view(pg::arg(fcinfo, 1)));
}

// In ms.
static int64 timeout_argument(FunctionCallInfo fcinfo, int n) {
    constexpr int64 kLongest = 24 * int64{3600} * 1000;
    if (pg::arg_is_null(fcinfo, n)) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "timeout is null");
    const auto ms = pg::milliseconds_of(pg::arg(fcinfo, n), kLongest);
    if (!ms) pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "timeout is between 1 millisecond and 24 hours");
    return *ms;
}

}  // namespace pulse::handle

using namespace pulse;

PULSE_FN(pulse_join) {
    handle::Effects &effects = handle::effects_for("pulse.join");
    std::vector<handle::Request> requests(1);
    requests[0].operation = "join";
    requests[0].room = handle::room_argument(fcinfo, 0);
    requests[0].context = auth::current();
    handle::decide_all(pg::function_owner(fcinfo), requests);
    if (!requests[0].allowed) handle::refuse(requests[0]);
    effects.join(requests[0].room);
    return Datum(0);
}

PULSE_FN(pulse_leave) {
    handle::Effects &effects = handle::effects_for("pulse.leave");
    effects.leave(handle::room_argument(fcinfo, 0));
    return Datum(0);
}

PULSE_FN(pulse_reply) {
    handle::Effects &effects = handle::messages_for("pulse.reply");
    const std::string event = handle::event_argument(fcinfo);
    const auto message = handle::payload_argument(fcinfo, effects);
    effects.add("{\"reply\":[" + json::quoted(event) + "," + message.json + (message.attachments.empty() ? "" : ",") + message.attachments +
                "]}");
    return Datum(0);
}

PULSE_FN(pulse_reply_args) {
    handle::Effects &effects = handle::messages_for("pulse.reply_args");
    const std::string event = handle::event_argument(fcinfo);
    if (pg::arg_is_null(fcinfo, 1)) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "args is null");
    const auto message = handle::payload_argument(fcinfo, effects);
    if (json::kind(message.json) != json::Kind::kArray)
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "args is no JSON array", {}, "It holds the event's arguments; pulse.reply sends one.");
    effects.add("{\"replyArgs\":[" + json::quoted(event) + "," + message.json + (message.attachments.empty() ? "" : ",") +
                message.attachments + "]}");
    return Datum(0);
}

PULSE_FN(pulse_ask) {
    handle::Effects &effects = handle::messages_for("pulse.ask");
    const std::string event = handle::event_argument(fcinfo);
    const auto message = handle::payload_argument(fcinfo, effects);
    const int64 timeout = handle::timeout_argument(fcinfo, 2);
    std::string answer = "null";
    if (const auto given = pg::optional_text(fcinfo, 3)) {
        const std::string function = rooms::check_function(*given, rooms::kAnswerShape);
        const pg::OwnerScope scope(pg::function_owner(fcinfo));
        const rooms::Callable callable(function, rooms::kAnswerShape, CurrentMemoryContext);
        if (callable.strict())
            pg::fail(ERRCODE_INVALID_FUNCTION_DEFINITION, "function " + function + " is STRICT", {},
                     "It is called with null when nobody answers, which a STRICT function would not hear of.");
        answer = json::quoted(function);
    }
    effects.add("{\"ask\":{\"event\":" + json::quoted(event) + ",\"payload\":" + message.json + ",\"timeout\":" + std::to_string(timeout) +
                ",\"answer\":" + answer + (message.attachments.empty() ? "" : ",\"attachments\":") + message.attachments + "}}");
    return Datum(0);
}

PULSE_FN(pulse_attach) {
    handle::Effects &effects = handle::messages_for("pulse.attach");
    if (pg::arg_is_null(fcinfo, 0)) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "bytes is null");
    const std::size_t num = effects.attach(pg::to_string(pg::arg(fcinfo, 0)));
    return pg::text_datum("{\"_placeholder\":true,\"num\":" + std::to_string(num) + "}");
}

PULSE_FN(pulse_disconnect) {
    handle::Effects &effects = handle::effects_for("pulse.disconnect");
    effects.add("{\"disconnect\":" + (pg::arg_is_null(fcinfo, 0) ? "\"\"" : json::quoted(pg::view(pg::arg(fcinfo, 0)))) + "}");
    return Datum(0);
}
