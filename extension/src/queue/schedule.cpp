// pulse.schedule and its kin, and the enqueuing of what is due. A slot and its job commit together, and next_slot only grows: whoever
// runs this, how often and with what clock, no slot is enqueued twice.
#include "json/slice.hpp"
#include "pg/extension.hpp"
#include "pg/interval.hpp"
#include "pg/run_as.hpp"
#include "pg/spi.hpp"
#include "queue/errors.hpp"
#include "queue/news.hpp"
#include "queue/options.hpp"
#include "queue/slots.hpp"

#include <algorithm>

namespace pulse::queue {

namespace {

enum Argument { kName, kSpec, kQueue, kKind, kArgs, kTimezone, kOverlap, kBackfill, kPriority, kMaxAttempts, kTimeout };

constexpr int64 kShortest = USECS_PER_SEC;               // between two slots of an interval
constexpr int64 kLongest = 366 * USECS_PER_DAY;          // likewise, and of backfill
constexpr int64 kPatience = USECS_PER_MINUTE;            // a slot is never missed by less
constexpr int kMostAtOnce = 1000, kMostLooked = 100000;  // slots of one schedule in one transaction
constexpr const char *kSpecs = "A schedule is a cron expression as '30 8 * * MON-FRI', a word as @daily, or an interval as '10 minutes'.";

[[noreturn]] void refuse(const std::string &message, std::string_view hint = {}) {
    pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, message, {}, hint);
}

[[noreturn]] void refuse_null(const char *name) {
    pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, std::string(name) + " is null", {}, "Only max_attempts may be null.");
}

// The interval a spec is; nullopt when it is a cron expression, or nothing: then it is for the cron parser to say what is wrong.
// PostgreSQL takes much for an interval ('*/10 * * * *' is ten seconds), so an expression is tried first, and words and numbers only.
std::optional<Datum> interval_of(std::string_view spec) {
    constexpr std::string_view kEvery = "every ";
    std::string why;
    if (spec.starts_with(kEvery))
        spec.remove_prefix(kEvery.size());
    else if (Cron::parse(spec, why))
        return std::nullopt;
    const auto plain = [](char c) {
        return ('0' <= c && c <= '9') || ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z') || c == ' ' || c == '.' || c == ':' || c == '-';
    };
    if (!std::all_of(spec.begin(), spec.end(), plain)) return std::nullopt;
    const std::string text(spec);
    Datum value = 0;
    const auto error = pg::subtransaction([&] {
        value = pg::call([&] {
            return DirectFunctionCall3(interval_in, CStringGetDatum(text.c_str()), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
        });
    });
    if (error) return std::nullopt;
    return value;
}

std::string owner_key(std::string_view name) { return std::string(kScheduleKey) + std::string(name); }

// Whether the current user may change a schedule of that role.
bool may_change(std::string_view role) {
    const std::string name(role);
    return pg::call([&] {
        const Oid owner = get_role_oid(name.c_str(), true), admin = get_role_oid("pulse_admin", true);
        return (OidIsValid(owner) && has_privs_of_role(GetUserId(), owner)) || (OidIsValid(admin) && has_privs_of_role(GetUserId(), admin));
    });
}

struct Job {
    Datum queue, kind, args, priority, max_attempts, timeout;
    bool default_attempts;
};

// As the current user.
int64 enqueue(const Job &job, Datum run_at, const std::optional<std::string> &key) {
    static pg::Plan plan("SELECT pulse.enqueue(queue => $1, kind => $2, args => $3, priority => $4, run_at => $5, max_attempts => $6, "
                         "timeout => $7, partition_key => $8)");
    const ScheduleScope scope;
    plan.run({{TEXTOID, job.queue},
              {TEXTOID, job.kind},
              {JSONOID, job.args},
              {INT4OID, job.priority},
              {TIMESTAMPTZOID, run_at},
              {INT4OID, job.max_attempts, job.default_attempts},
              {INTERVALOID, job.timeout},
              pg::param_text(key)});
    return pg::result_row().int8(1);
}

// What pulse.enqueue would refuse at the first slot is refused now: it is tried, and undone.
void try_enqueue(const Job &job) {
    constexpr int kUndone = ERRCODE_SUCCESSFUL_COMPLETION;
    const auto error = pg::subtransaction([&] {
        const pg::SpiSession spi;
        enqueue(job, TimestampTzGetDatum(DT_NOEND), std::nullopt);
        pg::fail(kUndone, "only tried");
    });
    if (error && error->sqlstate != kUndone) throw pg::Error(*error);
}

// The arguments of a job of kind sql get to know their slot.
std::string with_slot(std::string_view kind, std::string_view args, std::string_view name, TimestampTz slot, bool late) {
    const auto members = json::members(args);
    if (kind != "sql" || !members) return std::string(args);
    const auto inner = json::find(*members, "args");
    const std::string_view object = json::trim(inner ? *inner : args);
    if (json::kind(object) != json::Kind::kObject) return std::string(args);
    std::string told = "{\"_schedule\":{\"name\":" + json::quoted(name) + ",\"slot\":\"" + iso_time(slot) + '"';
    told += late ? ",\"late\":true}" : ",\"late\":false}";
    const std::string_view rest = json::trim(object.substr(1));
    if (!rest.starts_with('}')) told += ',';
    told += rest;
    if (!inner) return told;
    std::string all(args.substr(0, static_cast<std::size_t>(inner->data() - args.data())));
    all += told;
    all += args.substr(static_cast<std::size_t>(inner->data() - args.data()) + inner->size());
    return all;
}

// ---- what is due --------------------------------------------------------------------------------------------------------------

struct Due {
    std::string name, spec, timezone, overlap, role, search_path, kind, args;
    std::optional<int64> every;
    int64 backfill;
    TimestampTz anchor, next_slot;
    Job job;

    Slots slots() const { return every ? Slots::every(*every, anchor) : Slots::cron(spec, timezone); }
};

Due due_of(const pg::Row &row) {
    const auto text = [&](int column) { return std::string(row.text(column)); };
    Due due{text(1), text(2),      text(3),      text(4),      text(5),      text(6), text(8),
            text(9), std::nullopt, row.int8(14), row.int8(15), row.int8(16), {}};
    if (!row.is_null(13)) due.every = row.int8(13);
    due.job = {row.datum(7), row.datum(8), 0, row.datum(10), row.is_null(11) ? Datum(0) : row.datum(11), row.datum(12), row.is_null(11)};
    return due;
}

// Why the slot could not be enqueued; empty when it was, and its job's id.
std::string enqueue_slot(const Due &due, TimestampTz slot, TimestampTz now, std::optional<int64> &job) {
    const Oid role = pg::call([&] { return get_role_oid(due.role.c_str(), true); });
    if (!OidIsValid(role)) return "role \"" + due.role + "\" does not exist";
    const auto error = pg::subtransaction([&] {
        const pg::RunAs as(role);
        pg::SettingScope settings;
        settings.set("search_path", due.search_path.c_str());
        const pg::SpiSession spi;
        Job one = due.job;
        one.args = pg::text_datum(with_slot(due.kind, due.args, due.name, slot, now - slot > kPatience));
        const auto key = due.overlap == "allow" ? std::nullopt : std::optional(owner_key(due.name));
        job = enqueue(one, TimestampTzGetDatum(slot), key);
    });
    return error ? std::string(unpack_sql_state(error->sqlstate)) + ": " + error->message : std::string();
}

bool earlier_one_lives(const Due &due) {
    static pg::Plan plan("SELECT 1 FROM _pulse.jobs j WHERE j.queue = $1 AND j.partition_key = $2 LIMIT 1");
    return plan.run({{TEXTOID, due.job.queue}, pg::param_text(owner_key(due.name))}) > 0;
}

void write_down(const Due &due, std::optional<TimestampTz> next, std::optional<TimestampTz> last, std::optional<int64> job,
                const std::string &error) {
    static pg::Plan plan("UPDATE _pulse.schedules s SET next_slot = $2, last_slot = COALESCE($3, s.last_slot), "
                         "last_job_id = COALESCE($4, s.last_job_id), last_error = CASE WHEN $3 IS NULL THEN s.last_error ELSE $5 END "
                         "WHERE s.name = $1");
    plan.run({pg::param_text(due.name),
              {TIMESTAMPTZOID, TimestampTzGetDatum(next.value_or(0)), !next},
              {TIMESTAMPTZOID, TimestampTzGetDatum(last.value_or(0)), !last},
              {INT8OID, Int64GetDatum(job.value_or(0)), !job},
              error.empty() ? pg::Plan::Param{TEXTOID, Datum(0), true} : pg::param_text(error)});
}

void run_one(const Due &due, TimestampTz now) {
    const Slots slots = due.slots();
    const TimestampTz oldest = now - std::max(due.backfill, kPatience);
    std::optional<TimestampTz> slot = due.next_slot, last;
    if (*slot < oldest) slot = slots.after(oldest - 1);
    const bool newest_only = due.overlap == "skip";
    std::optional<int64> job;
    std::string error;
    for (int i = 0; slot && *slot <= now && i < (newest_only ? kMostLooked : kMostAtOnce); ++i) {
        const auto following = slots.after(*slot);
        if (!newest_only || !following || *following > now) {
            last = slot;
            if (!newest_only || !earlier_one_lives(due)) error = enqueue_slot(due, *slot, now, job);
        }
        slot = following;
    }
    write_down(due, slot, last, job, error);
    if (!error.empty())
        pg::call([&] {
            ereport(LOG, (errmsg("schedule \"%s\" could not enqueue its job", due.name.c_str()), errdetail_internal("%s", error.c_str())));
        });
}

}  // namespace

static Datum run_schedules(FunctionCallInfo fcinfo) {
    static pg::Plan due_now(
        "SELECT s.name, s.spec, s.timezone, s.overlap, s.role, s.search_path, s.queue, s.kind, s.args, s.priority, s.max_attempts, "
        "s.timeout, "
        "(EXTRACT(epoch FROM s.every) * 1000000)::bigint, (EXTRACT(epoch FROM s.backfill) * 1000000)::bigint, s.anchor, s.next_slot "
        "FROM _pulse.schedules s WHERE s.next_slot <= $1 "
        "AND (s.extension IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = s.extension)) "
        "ORDER BY s.next_slot, s.name FOR UPDATE OF s SKIP LOCKED");
    static pg::Plan next("SELECT min(s.next_slot) FROM _pulse.schedules s "
                         "WHERE s.extension IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = s.extension)");
    const TimestampTz now = DatumGetTimestampTz(pg::arg(fcinfo, 0));
    if (TIMESTAMP_NOT_FINITE(now)) refuse("at is not finite");
    const pg::OwnerScope owner(pg::function_owner(fcinfo));
    const pg::SpiSession spi;
    due_now.for_each({{TIMESTAMPTZOID, pg::arg(fcinfo, 0)}}, [&](const pg::Row &row) { run_one(due_of(row), now); });
    next.run();
    const pg::Row row = pg::result_row();
    if (row.is_null(1)) return pg::null_result(fcinfo);
    return row.datum(1);
}

// ---- registering ----------------------------------------------------------------------------------------------------------------

struct Belongs {
    std::string role, extension;
    bool nobodys;  // its extension is gone
};

// Whose schedule that is.
static std::optional<Belongs> belongs_to(Oid owner, const std::string &name) {
    static pg::Plan plan("SELECT s.role, s.extension, s.extension IS NOT NULL "
                         "AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = s.extension) "
                         "FROM _pulse.schedules s WHERE s.name = $1");
    const pg::OwnerScope scope(owner);
    const pg::SpiSession spi;
    if (plan.run({pg::param_text(name)}) == 0) return std::nullopt;
    const pg::Row row = pg::result_row();
    return Belongs{std::string(row.text(1)), std::string(row.optional_text(2).value_or("")), row.boolean(3)};
}

static void check_may_change(const std::string &name, const Belongs &found) {
    if (!found.nobodys && !may_change(found.role))
        pg::fail(ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied for schedule \"" + name + "\"", {},
                 "It belongs to role " + found.role + "; members of it and of pulse_admin may change it.");
}

static Datum schedule(FunctionCallInfo fcinfo) {
    static pg::Plan write(
        "INSERT INTO _pulse.schedules (name, spec, every, timezone, queue, kind, args, priority, max_attempts, timeout, overlap, backfill, "
        "role, "
        "search_path, anchor, next_slot, extension) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) "
        "ON CONFLICT (name) DO UPDATE SET spec = excluded.spec, every = excluded.every, timezone = excluded.timezone, queue = "
        "excluded.queue, "
        "kind = excluded.kind, args = excluded.args, priority = excluded.priority, max_attempts = excluded.max_attempts, "
        "timeout = excluded.timeout, overlap = excluded.overlap, backfill = excluded.backfill, role = excluded.role, "
        "search_path = excluded.search_path, anchor = excluded.anchor, next_slot = excluded.next_slot, last_error = NULL, "
        "extension = excluded.extension WHERE schedules.role = $18");
    const char *const names[] = {"name", "spec", "queue", "kind", "args", "timezone", "overlap", "backfill", "priority"};
    for (int n = kName; n <= kPriority; ++n)
        if (pg::arg_is_null(fcinfo, n)) refuse_null(names[n]);
    if (pg::arg_is_null(fcinfo, kTimeout)) refuse_null("timeout");
    const std::string name = pg::to_string(pg::arg(fcinfo, kName)), spec = pg::to_string(pg::arg(fcinfo, kSpec)),
                      timezone = pg::to_string(pg::arg(fcinfo, kTimezone)), overlap = pg::to_string(pg::arg(fcinfo, kOverlap));
    if (name.empty() || name.size() > 200)
        refuse("name has " + std::to_string(name.size()) + " bytes", "A schedule's name has 1 to 200 bytes.");
    if (overlap != "skip" && overlap != "queue" && overlap != "allow")
        refuse("unknown overlap \"" + overlap + "\"", "Values: skip, queue, allow.");
    if (!pg::fixed_microseconds_of(pg::arg(fcinfo, kBackfill), 0, kLongest))
        refuse("backfill is between 0 and 366 days, without months", "0: no slot older than a minute is made up for.");

    const TimestampTz now = pg::call([] { return GetCurrentTimestamp(); });
    const auto every = interval_of(spec);
    const auto every_us = every ? pg::fixed_microseconds_of(*every, kShortest, kLongest) : std::nullopt;
    if (every && !every_us) refuse("\"" + spec + "\" is not between 1 second and 366 days, without months", kSpecs);
    const Slots slots = every ? Slots::every(*every_us, now) : Slots::cron(spec, timezone);
    const auto first = slots.after(now);
    if (!first) refuse("\"" + spec + "\" is never due", "Its day of month is in none of its months.");
    const Job job{pg::arg(fcinfo, kQueue),
                  pg::arg(fcinfo, kKind),
                  pg::arg(fcinfo, kArgs),
                  pg::arg(fcinfo, kPriority),
                  pg::arg(fcinfo, kMaxAttempts),
                  pg::arg(fcinfo, kTimeout),
                  pg::arg_is_null(fcinfo, kMaxAttempts)};
    try_enqueue(job);

    const std::string role = pg::call([] { return GetUserNameFromId(GetUserId(), false); });
    const std::string search_path = pg::call([] { return GetConfigOption("search_path", false, false); });
    const Oid owner = pg::function_owner(fcinfo);
    const auto extension = pg::running_extension();
    const auto other = belongs_to(owner, name);
    if (other) {
        if (!other->nobodys && extension.value_or("") != other->extension)
            pg::fail(ERRCODE_DUPLICATE_OBJECT,
                     "schedule \"" + name + "\" belongs to " +
                         (other->extension.empty() ? "the application" : "extension " + other->extension),
                     {}, "Choose another name; pulse.unschedule takes the other one away.");
        check_may_change(name, *other);
    }
    const pg::OwnerScope scope(owner);
    const pg::SpiSession spi;
    const bool written = write.run({pg::param_text(name),
                                    pg::param_text(spec),
                                    {INTERVALOID, every.value_or(0), !every},
                                    pg::param_text(timezone),
                                    {TEXTOID, job.queue},
                                    {TEXTOID, job.kind},
                                    {JSONOID, job.args},
                                    {INT4OID, job.priority},
                                    {INT4OID, job.max_attempts, job.default_attempts},
                                    {INTERVALOID, job.timeout},
                                    pg::param_text(overlap),
                                    {INTERVALOID, pg::arg(fcinfo, kBackfill)},
                                    pg::param_text(role),
                                    pg::param_text(search_path),
                                    {TIMESTAMPTZOID, TimestampTzGetDatum(now)},
                                    {TIMESTAMPTZOID, TimestampTzGetDatum(*first)},
                                    pg::param_text(extension),
                                    pg::param_text(other ? std::optional(other->role) : std::nullopt)}) > 0;
    // Whose it is was asked before; since then somebody else has made one of this name.
    if (!written) pg::fail(ERRCODE_T_R_SERIALIZATION_FAILURE, "schedule \"" + name + "\" is being created by somebody else");
    tell_settings();
    return TimestampTzGetDatum(*first);
}

static Datum unschedule(FunctionCallInfo fcinfo) {
    static pg::Plan remove("DELETE FROM _pulse.schedules s WHERE s.name = $1");
    const std::string name = pg::to_string(pg::arg(fcinfo, 0));
    const Oid owner = pg::function_owner(fcinfo);
    auto found = belongs_to(owner, name);
    if (found) check_may_change(name, *found);
    if (found && found->nobodys) found.reset();
    const pg::OwnerScope scope(owner);
    const pg::SpiSession spi;
    const bool removed = remove.run({pg::param_text(name)}) > 0;
    if (removed) tell_settings();
    return BoolGetDatum(removed && found);
}

static Datum next_slot(FunctionCallInfo fcinfo) {
    const TimestampTz after = DatumGetTimestampTz(pg::arg(fcinfo, 2));
    if (TIMESTAMP_NOT_FINITE(after)) refuse("after is not finite", "It is the moment after which the slot is looked for.");
    const auto next = Slots::cron(pg::view(pg::arg(fcinfo, 0)), pg::to_string(pg::arg(fcinfo, 1))).after(after);
    if (!next) return pg::null_result(fcinfo);
    return TimestampTzGetDatum(*next);
}

}  // namespace pulse::queue

PULSE_FN(pulse_schedule) { return pulse::queue::schedule(fcinfo); }

PULSE_FN(pulse_unschedule) { return pulse::queue::unschedule(fcinfo); }

PULSE_FN(pulse_next_slot) { return pulse::queue::next_slot(fcinfo); }

PULSE_FN(pulse_run_schedules) { return pulse::queue::run_schedules(fcinfo); }
