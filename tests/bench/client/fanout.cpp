// One measured round of fan-out, see fanout.hpp.
#include "client/fanout.hpp"

#include "client/process.hpp"

#include <algorithm>

namespace bench {

namespace {

double quantile(std::vector<double> values, double q) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return values[std::min(values.size() - 1, static_cast<size_t>(q * static_cast<double>(values.size())))];
}

}  // namespace

std::string payload_of(int64_t seq, size_t size) {
    std::string payload = "{\"seq\":" + std::to_string(seq) + ",\"pad\":\"";
    const size_t around = payload.size() + 2 + 13;  // 42["bench",…] and the frame header
    payload.append(size > around ? size - around : 0, 'x');
    return payload + "\"}";
}

nlohmann::json run_fanout(Poller &poller, Fleet &fleet, Trigger &trigger, const FanoutOptions &options, int64_t &seq) {
    const int64_t first = seq;
    const size_t receivers = fleet.ready();
    std::vector<size_t> missing(options.messages, receivers);
    std::vector<long long> sent_at(options.messages);
    std::vector<double> took_ms;
    size_t sent = 0, done = 0;
    fleet.reset_counts();

    const auto publish = [&] {
        for (; sent < options.messages && sent - done < options.in_flight; ++sent) {
            const std::string payload = payload_of(first + static_cast<int64_t>(sent), options.size);
            sent_at[sent] = now_ns();
            trigger.publish(options.room, payload);
        }
        trigger.flush();
    };
    fleet.on_event = [&](uint32_t, int64_t got, std::string_view) {
        const int64_t index = got - first;
        if (index < 0 || index >= static_cast<int64_t>(sent)) return;
        const size_t message = static_cast<size_t>(index);
        if (missing[message] > 0 && --missing[message] == 0) {
            ++done;
            took_ms.push_back(static_cast<double>(now_ns() - sent_at[message]) / 1e6);
        }
    };

    const double server_before = cpu_seconds(options.server);
    const double behind_before = cpu_seconds(options.behind);
    const double own_before = cpu_seconds(std::vector<pid_t>{getpid()});
    const long long began = now_ns();
    const long long deadline = began + options.timeout_s * 1'000'000'000LL;
    publish();
    while (done < options.messages && now_ns() < deadline && trigger.error().empty()) {
        poller.turn(100);
        publish();
    }
    const double seconds = static_cast<double>(now_ns() - began) / 1e9;
    const double server = cpu_seconds(options.server) - server_before;
    const double behind = cpu_seconds(options.behind) - behind_before;
    const double own = cpu_seconds(std::vector<pid_t>{getpid()}) - own_before;
    fleet.on_event = nullptr;
    seq = first + static_cast<int64_t>(options.messages);

    size_t undelivered = 0;
    for (const size_t left : missing) undelivered += left;
    const FleetCounts &counts = fleet.counts();
    return {{"sockets", receivers},
            {"messages", options.messages},
            {"inFlight", options.in_flight},
            {"deliveries", counts.deliveries},
            {"bytes", counts.deliveries ? counts.bytes / counts.deliveries : 0},
            {"seconds", seconds},
            {"serverCpu", server},
            {"behindCpu", behind},
            {"clientCpu", own},
            {"undelivered", undelivered},
            {"repeated", counts.repeated},
            {"skipped", counts.skipped},
            {"positionErrors", counts.position_errors},
            {"lost", counts.lost},
            {"allReceivedMs", quantile(took_ms, 0.5)},
            {"allReceivedMsMax", quantile(took_ms, 1.0)},
            {"error", trigger.error()}};
}

}  // namespace bench
