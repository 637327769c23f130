// pulse.take, and the check of an event.
#include "limits/take.hpp"

#include "json/slice.hpp"
#include "limits/table.hpp"
#include "pg/text.hpp"

namespace pulse::limits {

namespace {

constexpr int kRateLimited = MAKE_SQLSTATE('P', 'L', '4', '2', '9');

// A signed-in client is its user on all devices; before that a session, or what asks without one (an HTTP request) its address. The
// letter keeps them apart: a user may be called like an address.
std::optional<std::string> subject_of(const auth::Context &context) {
    if (context.user_id) return "u" + *context.user_id;
    if (context.session_id) return "s" + *context.session_id;
    if (context.ip) return "a" + *context.ip;
    return std::nullopt;
}

int64 seconds(int64 microseconds) { return std::max<int64>(1, (microseconds + USECS_PER_SEC - 1) / USECS_PER_SEC); }

// As pulse.history: in a client's call its function decides, elsewhere the role.
void check_right() {
    if (auth::current() != nullptr) return;
    const bool allowed = pg::call([] {
        for (const char *role : {"pulse_publisher", "pulse_admin"}) {
            const Oid oid = get_role_oid(role, true);
            if (OidIsValid(oid) && has_privs_of_role(GetUserId(), oid)) return true;
        }
        return superuser();
    });
    if (!allowed)
        pg::fail(ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied to take points", {},
                 "Outside of a handler it takes the role pulse_publisher or pulse_admin.");
}

}  // namespace

void take_for_event(std::string_view name, std::string_view event, const auth::Context &context) {
    const Class *limit = class_of_event(name, event);
    if (limit == nullptr) return;
    const auto subject = subject_of(context);
    if (!subject) return;  // nobody to count: only a caller that is no bridge leaves all three out
    const Taken taken = take(limit->name, *subject, limit->rate, 1);
    if (taken.result == Taken::Result::kTaken) return;
    const std::string wait = std::to_string(seconds(taken.wait));
    pg::fail(kRateLimited,
             taken.result == Taken::Result::kNoRoom ? "too many clients at once, try again in " + wait + " s"
                                                    : "too many events, try again in " + wait + " s",
             "{\"class\":" + json::quoted(limit->name) + ",\"retryAfter\":" + wait + "}");
}

}  // namespace pulse::limits

using namespace pulse;

PULSE_FN(pulse_take) {
    const auto name = pg::optional_text(fcinfo, 0);
    if (!name) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "class is null");
    const int32 points = pg::arg_is_null(fcinfo, 2) ? 0 : DatumGetInt32(pg::arg(fcinfo, 2));
    if (points < 1) pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "points is at least 1");
    limits::check_right();
    std::optional<std::string> subject;
    if (!pg::arg_is_null(fcinfo, 1))
        subject = "u" + pg::to_string(pg::arg(fcinfo, 1));
    else if (auth::current() != nullptr)
        subject = limits::subject_of(*auth::current());
    if (!subject)
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "there is nobody to take points from", {},
                 "Outside of a client's call give a subject: pulse.take(class, subject).");
    const limits::Class *limit = limits::find_class(*name);
    if (limit == nullptr)
        pg::fail(ERRCODE_UNDEFINED_OBJECT, "unknown limit class \"" + *name + "\"", {}, "Known classes: " + limits::known_classes() + ".");
    const limits::Taken taken = limits::take(limit->name, *subject, limit->rate, points);
    return BoolGetDatum(taken.result == limits::Taken::Result::kTaken);
}
