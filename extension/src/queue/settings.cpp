// The copy of the tables.
#include "queue/settings.hpp"

#include "pg/run_as.hpp"
#include "pg/watched.hpp"
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

Settings *settings = nullptr;  // never freed with the process
constinit pg::WatchedTables watched{"queues", "queue_states", "job_kinds"};

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
    watched.refresh([](std::optional<Oid> owner) {
        Settings found;
        if (owner) {
            const pg::OwnerScope scope(*owner);
            const pg::SpiSession spi;
            read(found);
        }
        *settings = std::move(found);
    });
    return *settings;
}

}  // namespace

void forget_settings() { watched.forget(); }

void init_settings() { watched.init(); }

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
    return pg::tell_table_changed(fcinfo);
}
