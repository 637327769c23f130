// The copy of the tables. A trigger on them invalidates their relcache entries, which reaches every backend at the commit.
#include "queue/settings.hpp"

#include "queue/news.hpp"

#include <map>

namespace pulse::queue {

namespace {

struct Settings {
    std::map<std::string, QueueSettings, std::less<>> queues;
    std::map<std::string, KindSettings, std::less<>> kinds;
};

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

std::optional<int> optional_int(const pg::Row &row, int column) {
    if (row.is_null(column)) return std::nullopt;
    return row.int4(column);
}

std::optional<double> optional_seconds(const pg::Row &row, int column) {
    if (row.is_null(column)) return std::nullopt;
    return static_cast<double>(row.int8(column)) / 1e6;
}

void read(Settings &found) {
    // Of two rows the application's counts, column by column.
    static pg::Plan queues(
        "SELECT q.name, q.concurrency, q.rate, (extract(epoch FROM q.per) * 1000000)::bigint, q.max_attempts, "
        "(extract(epoch FROM q.backoff) * 1000000)::bigint, (extract(epoch FROM q.backoff_max) * 1000000)::bigint, q.events "
        "FROM _pulse.queues q "
        "WHERE q.extension IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = q.extension) "
        "ORDER BY q.name, q.extension IS NULL");
    static pg::Plan states("SELECT s.name FROM _pulse.queue_states s WHERE s.paused");
    static pg::Plan kinds("SELECT k.kind, k.channel, k.function, k.max_attempts, (extract(epoch FROM k.backoff) * 1000000)::bigint, "
                          "(extract(epoch FROM k.backoff_max) * 1000000)::bigint FROM _pulse.job_kinds k "
                          "WHERE k.extension IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = k.extension) "
                          "ORDER BY k.kind, k.extension IS NULL");
    for (const char *channel : {"sql", "fcm", "sms", "webhook"}) found.kinds[channel].channel = channel;
    const pg::LatestSnapshot snapshot;
    queues.for_each(
        {},
        [&](const pg::Row &row) {
            QueueSettings &queue = found.queues[std::string(row.text(1))];
            if (const auto concurrency = optional_int(row, 2)) queue.concurrency = concurrency;
            if (const auto rate = optional_int(row, 3)) queue.rate = rate;
            if (!row.is_null(4)) queue.per = row.int8(4);
            if (const auto attempts = optional_int(row, 5)) queue.max_attempts = attempts;
            if (const auto seconds = optional_seconds(row, 6)) queue.backoff = seconds;
            if (const auto seconds = optional_seconds(row, 7)) queue.backoff_max = seconds;
            if (!row.is_null(8)) queue.events = row.boolean(8);
        },
        true);
    states.for_each(
        {}, [&](const pg::Row &row) { found.queues[std::string(row.text(1))].paused = true; }, true);
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
    if (find_tables()) read(found);
    *settings = std::move(found);
    valid = !disturbed;  // else they are read again the next time
    return *settings;
}

}  // namespace

void init_settings() { CacheRegisterRelcacheCallback(on_relcache, Datum(0)); }

const QueueSettings &queue_settings(std::string_view queue) {
    static const QueueSettings none;
    const Settings &all = load();
    const auto found = all.queues.find(queue);
    return found == all.queues.end() ? none : found->second;
}

const KindSettings *kind_settings(std::string_view kind) {
    const Settings &all = load();
    const auto found = all.kinds.find(kind);
    return found == all.kinds.end() ? nullptr : &found->second;
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
