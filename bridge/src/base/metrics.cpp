// Metrics are made once in State; label look-ups go through a small map here, since prometheus-cpp's Family::Add takes a lock and
// compares whole label maps.
#include "base/metrics.hpp"

#include <cstdio>
#include <ctime>
#include <map>
#include <set>
#include <vector>

#include <unistd.h>

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace bridge {

namespace {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;

const Histogram::BucketBoundaries kFanoutBuckets{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1};
const Histogram::BucketBoundaries kHandlerBuckets{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
const Histogram::BucketBoundaries kSizeBuckets{64, 128, 256, 512, 1024, 4096, 16384, 65536, 262144, 1048576};
const Histogram::BucketBoundaries kDurationBuckets{1, 10, 60, 300, 900, 3600, 4 * 3600, 24 * 3600};

// The counters of one family by their label values.
template <class Metric>
class Labelled {
public:
    Labelled(prometheus::Family<Metric> &family, std::vector<std::string> names, Histogram::BucketBoundaries buckets = {})
        : family_(family), names_(std::move(names)), buckets_(std::move(buckets)) {}

    Metric &get(std::initializer_list<std::string_view> values) {
        key_.clear();
        for (std::string_view value : values) {
            key_.append(value);
            key_ += '\0';
        }
        if (const auto found = known_.find(key_); found != known_.end()) return *found->second;
        prometheus::Labels labels;
        std::size_t i = 0;
        for (std::string_view value : values) labels.emplace(names_[i++], std::string(value));
        Metric &made = add(labels);
        known_.emplace(key_, &made);
        return made;
    }

private:
    Metric &add(const prometheus::Labels &labels) {
        if constexpr (std::is_same_v<Metric, Histogram>) {
            return family_.Add(labels, buckets_);
        } else {
            return family_.Add(labels);
        }
    }
    prometheus::Family<Metric> &family_;
    std::vector<std::string> names_;
    Histogram::BucketBoundaries buckets_;
    std::map<std::string, Metric *, std::less<>> known_;
    std::string key_;
};

}  // namespace

struct Metrics::State {
    prometheus::Registry registry;
    std::set<std::string, std::less<>> events{"error", "ping", "pong", "heartbeat", "heartbeat:ack", "room:join", "room:leave"};
    std::set<std::string, std::less<>> namespaces{"/", "/sse", "/poll"};
    std::set<std::string, std::less<>> limit_classes{"events"};
    std::set<std::string, std::less<>> routes;

    prometheus::Family<Counter> &counters(const char *name, const char *help) {
        return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
    }
    prometheus::Family<Gauge> &gauges(const char *name, const char *help) {
        return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
    }
    Histogram &histogram(const char *name, const char *help, const Histogram::BucketBoundaries &buckets) {
        return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
    }
    Counter &counter(const char *name, const char *help) { return counters(name, help).Add({}); }
    Gauge &gauge(const char *name, const char *help) { return gauges(name, help).Add({}); }

    Labelled<Gauge> active{gauges("realtime_active_connections", "Clients connected to a namespace."), {"namespace"}};
    Labelled<Counter> received{counters("realtime_messages_received_total", "Events from clients."), {"namespace", "event"}};
    Labelled<Counter> sent{counters("realtime_messages_sent_total", "Events to clients, one for each receiver."), {"namespace", "event"}};
    Labelled<Counter> authentication{counters("realtime_authentication_errors_total", "Tokens and connections refused."), {"reason"}};
    Labelled<Counter> opened{counters("realtime_connections_opened_total", "Clients that connected to a namespace."),
                             {"namespace", "transport"}};
    Labelled<Counter> closed{counters("realtime_connections_closed_total", "Clients that left a namespace."),
                             {"namespace", "transport", "reason"}};
    Labelled<Counter> failures{counters("realtime_delivery_failures_total", "Events that did not reach a client."), {"reason"}};
    Labelled<Gauge> sse_streams{gauges("realtime_sse_streams", "Open event streams."), {"stream"}};
    Labelled<Counter> sse_messages{counters("realtime_sse_messages_total", "Events to event streams, one for each receiver."), {"stream"}};
    Histogram &sse_bytes = histogram("realtime_sse_message_bytes", "Size of an event as event streams get it.", kSizeBuckets);
    Counter &sse_errors = counter("realtime_sse_errors_total", "Event streams refused, or ended by the server.");
    Gauge &polls = gauge("pulse_bridge_polls_waiting", "Long-polls that wait for an event.");
    Histogram &fanout = histogram("realtime_fanout_latency_seconds", "Notification read until handed to the kernel.", kFanoutBuckets);
    Histogram &handler = histogram("pulse_bridge_handler_seconds", "A handler asked until its answer.", kHandlerBuckets);
    Labelled<Histogram> requests{prometheus::BuildHistogram()
                                     .Name("realtime_http_request_duration_seconds")
                                     .Help("HTTP requests to SQL, from their head to the answer.")
                                     .Register(registry),
                                 {"route", "method", "status"},
                                 kHandlerBuckets};
    Histogram &duration = histogram("realtime_connection_duration_seconds", "Life of a connection.", kDurationBuckets);
    Counter &decisions = counter("pulse_bridge_decisions_total", "Joins that policies were asked about.");
    Counter &decision_batches = counter("pulse_bridge_decision_batches_total", "Statements that asked policies, each about many joins.");
    Gauge &sockets = gauge("pulse_bridge_sockets", "Open sockets.");
    Gauge &sessions = gauge("pulse_bridge_sessions", "Sessions: one namespace on one connection.");
    Gauge &rooms = gauge("pulse_bridge_rooms", "Rooms with somebody here.");
    Gauge &head = gauge("pulse_bridge_head_position", "Last position handled.");
    Gauge &queued = gauge("pulse_bridge_send_queue_bytes", "Bytes waiting for slow sockets.");
    Gauge &replay = gauge("pulse_bridge_replay_bytes", "Bytes of recent events kept for joins.");
    Gauge &database = gauge("pulse_bridge_database_up", "1 when the LISTEN connection is live.");
    Counter &catch_ups = counter("pulse_bridge_catch_ups_total", "Ranges of positions read from the log.");
    Counter &caught_up = counter("pulse_bridge_events_caught_up_total", "Events read from the log instead of a notification.");
    Counter &foreign = counter("pulse_bridge_foreign_notifications_total", "Notifications dropped: not the dispatcher's.");
    Counter &malformed = counter("pulse_bridge_malformed_notifications_total", "Notifications that could not be read.");
    Counter &duplicates = counter("pulse_bridge_duplicate_notifications_total", "Notifications already handled.");
    Gauge &ephemeral_dropped =
        gauge("pulse_ephemeral_dropped", "Ephemeral events that the database dropped since it started, as last told.");
    Counter &ephemeral_missed =
        counter("pulse_bridge_ephemeral_missed_total", "Notifications of ephemeral events dropped while the bridge caught up.");
    Counter &slow = counter("pulse_bridge_slow_consumers_total", "Clients disconnected because their queue was full.");
    Counter &refusals =
        counter("pulse_bridge_handler_queue_refusals_total", "Inbound events refused because the session's queue was full.");
    Labelled<Counter> rate_limited{counters("realtime_rate_limited_total", "What clients did too often, refused."), {"class"}};
    Labelled<Counter> refused{counters("pulse_bridge_connections_refused_total", "Connections closed before anything was read."),
                              {"reason"}};
    Counter &streams_lost = counter("pulse_bridge_streams_lost_total", "Times that the stream could not be continued.");
    Counter &evictions = counter("pulse_evictions_total", "Evictions and revocations handled.");
    Counter &history_queries = counter("pulse_history_queries_total", "Pages of missed events read from the log, each for many sessions.");
    Labelled<Counter> recoveries{counters("pulse_recoveries_total", "Sessions and rooms that asked for what they missed."), {"outcome"}};
    Gauge &recoveries_waiting = gauge("pulse_recoveries_waiting", "Recoveries under way.");
    Labelled<Gauge> queue_jobs{gauges("pulse_queue_jobs", "Jobs of a queue in a state, counted up to 10,000."), {"queue", "state"}};
    Labelled<Gauge> queue_oldest{gauges("pulse_queue_oldest_seconds", "For how long the first job that may run has waited."), {"queue"}};
    Counter &cpu = counter("process_cpu_seconds_total", "CPU time of the process.");
    Gauge &resident = gauge("process_resident_memory_bytes", "Resident memory of the process.");
    Gauge &virtual_memory = gauge("process_virtual_memory_bytes", "Virtual memory of the process.");

    std::string_view event_label(std::string_view event) const { return events.contains(event) ? event : "other"; }
    std::string_view namespace_label(std::string_view nsp) const { return namespaces.contains(nsp) ? nsp : "other"; }

    void read_process() {
        timespec used{};
        if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0) {
            const double seconds = static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
            cpu.Increment(seconds - cpu.Value());
        }
        if (std::FILE *statm = std::fopen("/proc/self/statm", "re")) {
            unsigned long size = 0, pages = 0;
            if (std::fscanf(statm, "%lu %lu", &size, &pages) == 2) {
                const double page = static_cast<double>(sysconf(_SC_PAGESIZE));
                virtual_memory.Set(static_cast<double>(size) * page);
                resident.Set(static_cast<double>(pages) * page);
            }
            std::fclose(statm);
        }
    }
};

Metrics::Metrics(std::string_view version, std::string_view commit) : state_(std::make_unique<State>()) {
    state_->gauges("pulse_build_info", "Always 1; version and commit are labels.")
        .Add({{"version", std::string(version)}, {"commit", std::string(commit)}})
        .Set(1);
}
Metrics::~Metrics() = default;

void Metrics::know_event(std::string_view event) {
    if (state_->events.size() < kMaxNames && !state_->events.contains(event)) state_->events.emplace(event);
}
void Metrics::know_route(std::string_view path) {
    if (state_->routes.size() < kMaxNames && !state_->routes.contains(path)) state_->routes.emplace(path);
}
void Metrics::know_namespace(std::string_view nsp) {
    if (state_->namespaces.size() < kMaxNames && !state_->namespaces.contains(nsp)) state_->namespaces.emplace(nsp);
}

Gauge &Metrics::active_connections(std::string_view nsp) { return state_->active.get({state_->namespace_label(nsp)}); }
Counter &Metrics::messages_received(std::string_view nsp, std::string_view event) {
    return state_->received.get({state_->namespace_label(nsp), state_->event_label(event)});
}
Counter &Metrics::messages_sent(std::string_view nsp, std::string_view event) {
    return state_->sent.get({state_->namespace_label(nsp), state_->event_label(event)});
}
Counter &Metrics::authentication_errors(std::string_view reason) { return state_->authentication.get({reason}); }
Histogram &Metrics::http_requests(std::string_view route, std::string_view method, int status) {
    const bool known = state_->routes.contains(route);
    return state_->requests.get({known ? route : "other", known ? method : "other", std::to_string(status)});
}
Counter &Metrics::connections_opened(std::string_view nsp, std::string_view transport) {
    return state_->opened.get({state_->namespace_label(nsp), transport});
}
Counter &Metrics::connections_closed(std::string_view nsp, std::string_view transport, std::string_view reason) {
    return state_->closed.get({state_->namespace_label(nsp), transport, reason});
}
Counter &Metrics::delivery_failures(std::string_view reason) { return state_->failures.get({reason}); }

Gauge &Metrics::sse_streams(std::string_view stream) { return state_->sse_streams.get({state_->namespace_label(stream)}); }
Counter &Metrics::sse_messages(std::string_view stream) { return state_->sse_messages.get({state_->namespace_label(stream)}); }
Histogram &Metrics::sse_message_bytes() { return state_->sse_bytes; }
Counter &Metrics::sse_errors() { return state_->sse_errors; }
Gauge &Metrics::polls_waiting() { return state_->polls; }

Histogram &Metrics::fanout_latency() { return state_->fanout; }
Histogram &Metrics::handler_latency() { return state_->handler; }
Histogram &Metrics::connection_duration() { return state_->duration; }
Counter &Metrics::decisions() { return state_->decisions; }
Counter &Metrics::decision_batches() { return state_->decision_batches; }
Gauge &Metrics::sockets() { return state_->sockets; }
Gauge &Metrics::sessions() { return state_->sessions; }
Gauge &Metrics::rooms() { return state_->rooms; }
Gauge &Metrics::head_position() { return state_->head; }
Gauge &Metrics::send_queue_bytes() { return state_->queued; }
Gauge &Metrics::replay_bytes() { return state_->replay; }
Gauge &Metrics::database_up() { return state_->database; }
Counter &Metrics::catch_ups() { return state_->catch_ups; }
Counter &Metrics::events_caught_up() { return state_->caught_up; }
Counter &Metrics::foreign_notifications() { return state_->foreign; }
Counter &Metrics::malformed_notifications() { return state_->malformed; }
Gauge &Metrics::queue_jobs(std::string_view queue, std::string_view state) { return state_->queue_jobs.get({queue, state}); }
Gauge &Metrics::queue_oldest(std::string_view queue) { return state_->queue_oldest.get({queue}); }
Gauge &Metrics::ephemeral_dropped() { return state_->ephemeral_dropped; }
Counter &Metrics::ephemeral_missed() { return state_->ephemeral_missed; }
Counter &Metrics::duplicate_notifications() { return state_->duplicates; }
Counter &Metrics::slow_consumers() { return state_->slow; }
Counter &Metrics::queue_refusals() { return state_->refusals; }
Counter &Metrics::rate_limited(std::string_view limit_class) {
    auto &classes = state_->limit_classes;
    if (classes.size() < kMaxNames && !classes.contains(limit_class)) classes.emplace(limit_class);
    return state_->rate_limited.get({classes.contains(limit_class) ? limit_class : "other"});
}
Counter &Metrics::connections_refused(std::string_view reason) { return state_->refused.get({reason}); }
Counter &Metrics::streams_lost() { return state_->streams_lost; }
Counter &Metrics::evictions() { return state_->evictions; }
Counter &Metrics::history_queries() { return state_->history_queries; }
Counter &Metrics::recoveries(std::string_view outcome) { return state_->recoveries.get({outcome}); }
Gauge &Metrics::recoveries_waiting() { return state_->recoveries_waiting; }

std::string Metrics::render() {
    state_->read_process();
    return prometheus::TextSerializer{}.Serialize(state_->registry.Collect());
}

}  // namespace bridge
