// Every metric of the bridge in one registry (prometheus-cpp). Labels are bounded: a namespace or event name that is not known, or
// one too many, becomes "other". Hot paths keep the Counter& that a look-up returned; counters live as long as Metrics.
// All calls come from the loop thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

namespace bridge {

class Metrics {
public:
    static constexpr std::size_t kMaxNames = 500;  // event names, and namespaces, each

    Metrics(std::string_view version, std::string_view commit);
    ~Metrics();
    Metrics(const Metrics &) = delete;
    Metrics &operator=(const Metrics &) = delete;

    // Names that SQL vouched for: a handler answered, or an event was published. Until then they count as "other".
    void know_event(std::string_view event);
    void know_namespace(std::string_view nsp);
    void know_route(std::string_view path);

    prometheus::Gauge &active_connections(std::string_view nsp);
    prometheus::Counter &messages_received(std::string_view nsp, std::string_view event);
    prometheus::Counter &messages_sent(std::string_view nsp, std::string_view event);
    prometheus::Counter &authentication_errors(std::string_view reason);
    prometheus::Counter &connections_opened(std::string_view nsp, std::string_view transport);
    prometheus::Counter &connections_closed(std::string_view nsp, std::string_view transport, std::string_view reason);
    prometheus::Counter &delivery_failures(std::string_view reason);

    prometheus::Histogram &http_requests(std::string_view route, std::string_view method, int status);  // seconds, of requests to SQL

    // `stream`: a path, once known as a namespace.
    prometheus::Gauge &sse_streams(std::string_view stream);
    prometheus::Counter &sse_messages(std::string_view stream);
    prometheus::Histogram &sse_message_bytes();  // one for each encoded message, not for each receiver
    prometheus::Counter &sse_errors();           // streams refused or ended by us
    prometheus::Gauge &polls_waiting();

    prometheus::Histogram &fanout_latency();   // seconds: notification read → handed to the kernel
    prometheus::Histogram &handler_latency();  // seconds: pulse.handle_event asked → answered
    prometheus::Histogram &connection_duration();
    prometheus::Counter &decisions();         // joins that policies were asked about
    prometheus::Counter &decision_batches();  // in so many statements

    prometheus::Gauge &sockets();  // open sockets, whatever they speak
    prometheus::Gauge &sessions();
    prometheus::Gauge &rooms();
    prometheus::Gauge &head_position();
    prometheus::Gauge &send_queue_bytes();  // waiting for slow sockets, all together
    prometheus::Gauge &replay_bytes();
    prometheus::Gauge &database_up();  // 1: the LISTEN connection is live
    prometheus::Counter &catch_ups();  // ranges read from the ticks
    prometheus::Counter &events_caught_up();
    prometheus::Counter &foreign_notifications();  // dropped: not from the dispatcher
    prometheus::Counter &malformed_notifications();
    prometheus::Counter &duplicate_notifications();
    prometheus::Gauge &ephemeral_dropped();                           // by the database, as the dispatcher last told
    prometheus::Counter &ephemeral_missed();                          // notifications that this bridge had no room for while it caught up
    prometheus::Counter &slow_consumers();                            // disconnected because their queue was full
    prometheus::Counter &queue_refusals();                            // inbound events refused because the session's handler queue was full
    prometheus::Counter &rate_limited(std::string_view limit_class);  // one of too many classes counts as "other"
    prometheus::Counter &connections_refused(std::string_view reason);  // before anything was read

    prometheus::Counter &streams_lost();     // the stream could not be continued: everybody was told to come back
    prometheus::Counter &evictions();        // evictions and revocations that this bridge handled
    prometheus::Counter &history_queries();  // pages of missed events read from the log
    prometheus::Counter &recoveries(std::string_view outcome);
    prometheus::Gauge &recoveries_waiting();

    // Jobs of a queue in a state, and for how long the first one that may run has waited; at most kMaxNames queues.
    prometheus::Gauge &queue_jobs(std::string_view queue, std::string_view state);
    prometheus::Gauge &queue_oldest(std::string_view queue);

    // The text of GET /metrics; reads CPU time and memory of the process at each call.
    std::string render();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace bridge
