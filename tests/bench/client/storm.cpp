// A recovery storm, see storm.hpp.
#include "client/storm.hpp"

#include "client/process.hpp"

#include <algorithm>

namespace bench {

namespace {

double at(const std::vector<double> &ordered, double q) {
    return ordered.empty() ? 0 : ordered[std::min(ordered.size() - 1, static_cast<size_t>(q * static_cast<double>(ordered.size())))];
}

}  // namespace

nlohmann::json run_storm(Poller &poller, Fleet &fleet, const StormOptions &options) {
    const size_t sockets = fleet.target();
    std::vector<long long> begun(sockets);
    std::vector<double> took_ms;
    took_ms.reserve(sockets);
    fleet.reset_counts();
    // A socket has caught up with its last missed event; that its `40` has come too is what counts().recovered says.
    fleet.on_event = [&](uint32_t socket, int64_t seq, std::string_view) {
        if (seq == options.last) took_ms.push_back(static_cast<double>(now_ns() - begun[socket]) / 1e6);
    };
    const double server_before = cpu_seconds(options.server);
    const double own_before = cpu_seconds(std::vector<pid_t>{getpid()});
    const long rss_before = rss_kb(options.server);
    long rss_most = rss_before;
    const long long start = now_ns(), deadline = start + options.timeout_s * 1'000'000'000LL;
    long long last_begun = start, measured = start, retried = start;
    size_t back = 0;
    const auto under_way = [&] {
        const FleetCounts &c = fleet.counts();
        return back < sockets || c.recovered + c.fresh < sockets || took_ms.size() + c.fresh < sockets;
    };
    while (under_way() && now_ns() < deadline) {
        const double passed = static_cast<double>(now_ns() - start) / 1e9;
        const size_t due = std::min(sockets, static_cast<size_t>(passed / options.within_s * static_cast<double>(sockets)) + 1);
        for (; back < due; ++back) {
            begun[back] = last_begun = now_ns();
            fleet.come_back(static_cast<uint32_t>(back), options.port);
        }
        if (back == sockets && now_ns() - retried > 1'000'000'000) {  // what was turned away tries again, as clients do
            retried = now_ns();
            for (size_t i = 0; i < sockets; ++i) fleet.come_back(static_cast<uint32_t>(i), options.port);
        }
        poller.turn(back < sockets ? 1 : 20);
        if (now_ns() - measured > 20'000'000) {
            measured = now_ns();
            rss_most = std::max(rss_most, rss_kb(options.server));
        }
    }
    const long long end = now_ns();
    fleet.on_event = nullptr;
    std::sort(took_ms.begin(), took_ms.end());
    const FleetCounts &counts = fleet.counts();
    return {{"sockets", sockets},
            {"caughtUp", took_ms.size()},
            {"recovered", counts.recovered},
            {"fresh", counts.fresh},
            {"deliveries", counts.deliveries},
            {"repeated", counts.repeated},
            {"skipped", counts.skipped},
            {"refused", counts.refused},
            {"lost", counts.lost},
            {"reasons", counts.reasons},
            {"seconds", static_cast<double>(end - start) / 1e9},
            {"afterLastSeconds", static_cast<double>(end - last_begun) / 1e9},
            {"p50Ms", at(took_ms, .5)},
            {"p99Ms", at(took_ms, .99)},
            {"maxMs", at(took_ms, 1)},
            {"serverCpu", cpu_seconds(options.server) - server_before},
            {"clientCpu", cpu_seconds(std::vector<pid_t>{getpid()}) - own_before},
            {"rssBeforeKb", rss_before},
            {"rssMostKb", rss_most}};
}

}  // namespace bench
