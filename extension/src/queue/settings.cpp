// The copy of the tables. A trigger on them invalidates their relcache entries, which reaches every backend at the commit.
#include "queue/settings.hpp"

#include "pg/run_as.hpp"
#include "queue/news.hpp"

#include <map>

namespace pulse::queue {

namespace {

struct Settings {
    std::map<std::string, QueueSettings, std::less<>> queues;
    std::map<std::string, KindSettings, std::less<>> kinds;
    QueueSettings others;  // of a queue of which nothing is said
};

constexpr const char *kAllQueues = "*";  // of _pulse.queue_states: pauses every queue without a row of its own

Settings *settings = nullptr;  // never freed with the process: callbacks run until its very end
Oid tables[3];                 // whose changes matter
bool valid = false;
bool disturbed = false;  // something changed while they were read

void on_relcache(Datum, Oid relation) {
    disturbed = true;
    if (!OidIsValid(relation) || relation == tables[0] || relation == tables[1] || relation == tables[2]) valid = false;
}

// Between an update of the library and that of the SQL the tables may not be there yet.
bool find_tables() {
    return pg::call([] {
        const Oid schema = get_namespace_oid("_pulse", true);
        if (!OidIsValid(schema)) return false;
        int n = 0;
        for (const char *name : {"queues", "queue_states", "job_kinds"}) tables[n++] = get_relname_relid(name, schema);
        return OidIsValid(tables[0]) && OidIsValid(tables[1]) && OidIsValid(tables[2]);
    });
}

Oid owner_of_tables() {
    return pg::call([] {
        HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(tables[0]));
        if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for relation %u", tables[0]);
        const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
        ReleaseSysCache(tuple);
        return owner;
    });
}

std::optional<int> optional_int(const pg::Row &row, int column) {
    if (row.is_null(column)) return std::nullopt;
    return row.int4(column);
}

std::optional<double> optional_seconds(const pg::Row &row, int column) {
    if (row.is_null(column)) return std::nullopt;
    return static_cast<double>(row.int8(column)) / 1e6;
}

void read(Settings &found) {
    static pg::Plan queues(
        "SELECT q.name, q.concurrency, q.rate, (extract(epoch FROM q.per) * 1000000)::bigint, q.max_attempts, "
        "(extract(epoch FROM q.backoff) * 1000000)::bigint, (extract(epoch FROM q.backoff_max) * 1000000)::bigint, q.events "
        "FROM _pulse.configured_queues q");
    static pg::Plan states("SELECT s.name, s.paused FROM _pulse.queue_states s");
    static pg::Plan kinds(
        "SELECT k.kind, k.channel, k.function, k.max_attempts, (extract(epoch FROM nullif(k.backoff, '0')) * 1000000)::bigint, "
        "(extract(epoch FROM nullif(k.backoff_max, '0')) * 1000000)::bigint FROM _pulse.job_kinds k "
        "WHERE k.extension IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = k.extension) "
        "ORDER BY k.kind, k.extension IS NULL");
    for (const char *channel : {"sql", "fcm", "sms", "webhook"}) found.kinds[channel].channel = channel;
    const pg::LatestSnapshot snapshot;
    queues.for_each(
        {},
        [&](const pg::Row &row) {
            QueueSettings &queue = found.queues[std::string(row.text(1))];
            queue.concurrency = optional_int(row, 2);
            queue.rate = optional_int(row, 3);
            if (!row.is_null(4)) queue.per = row.int8(4);
            queue.max_attempts = optional_int(row, 5);
            queue.backoff = optional_seconds(row, 6);
            queue.backoff_max = optional_seconds(row, 7);
            queue.events = row.boolean(8);
        },
        true);
    std::map<std::string, bool, std::less<>> paused;
    states.for_each(
        {}, [&](const pg::Row &row) { paused.emplace(row.text(1), row.boolean(2)); }, true);
    if (const auto all = paused.find(kAllQueues); all != paused.end()) found.others.paused = all->second;
    for (auto &[name, queue] : found.queues) queue.paused = found.others.paused;
    for (const auto &[name, one] : paused) found.queues[name].paused = one;
    kinds.for_each(
        {},
        [&](const pg::Row &row) {
            KindSettings &kind = found.kinds[std::string(row.text(1))];
            kind.channel = row.text(2);
            kind.function.reset();
            if (const auto function = row.optional_text(3)) kind.function = std::string(*function);
            if (const auto attempts = optional_int(row, 4)) kind.max_attempts = attempts;
            if (const auto seconds = optional_seconds(row, 5)) kind.backoff = seconds;
            if (const auto seconds = optional_seconds(row, 6)) kind.backoff_max = seconds;
        },
        true);
}

const Settings &load() {
    if (settings == nullptr) settings = new Settings;
    if (valid) return *settings;
    disturbed = false;
    Settings found;
    if (find_tables()) {
        const pg::OwnerScope scope(owner_of_tables());
        const pg::SpiSession spi;
        read(found);
    }
    *settings = std::move(found);
    valid = !disturbed;  // else they are read again the next time
    return *settings;
}

}  // namespace

void forget_settings() { valid = false; }

void init_settings() { CacheRegisterRelcacheCallback(on_relcache, Datum(0)); }

const QueueSettings &queue_settings(std::string_view queue) {
    const Settings &all = load();
    const auto found = all.queues.find(queue);
    return found == all.queues.end() ? all.others : found->second;
}

const KindSettings *kind_settings(std::string_view kind) {
    const Settings &all = load();
    const auto found = all.kinds.find(kind);
    return found == all.kinds.end() ? nullptr : &found->second;
}

std::string known_kinds() {
    std::string names;
    for (const auto &[name, one] : load().kinds) names += (names.empty() ? "" : ", ") + name;
    return names;
}

Backoff backoff_of(std::string_view queue, std::string_view kind) {
    Backoff result;
    const QueueSettings of_queue = queue_settings(queue);  // a copy: the next call may read everything again
    const KindSettings *of_kind = kind_settings(kind);
    const auto pick = [&](std::optional<double> first, std::optional<double> second, double &value) {
        if (first)
            value = *first;
        else if (second)
            value = *second;
    };
    pick(of_kind == nullptr ? std::nullopt : of_kind->backoff, of_queue.backoff, result.first);
    pick(of_kind == nullptr ? std::nullopt : of_kind->backoff_max, of_queue.backoff_max, result.most);
    return result;
}

}  // namespace pulse::queue

using namespace pulse;

// The trigger of the three tables.
PULSE_FN(pulse_queue_settings_changed) {
    queue::tell_settings();
    pg::call([&] {
        if (!CALLED_AS_TRIGGER(fcinfo)) elog(ERROR, "_pulse.queue_settings_changed is a trigger");
        CacheInvalidateRelcache(reinterpret_cast<TriggerData *>(fcinfo->context)->tg_relation);
    });
    return Datum(0);
}
