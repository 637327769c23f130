// Messages at a fixed rate, see pace.hpp.
#include "client/pace.hpp"

#include "client/fanout.hpp"
#include "client/process.hpp"

#include <algorithm>

namespace bench {

nlohmann::json run_pace(Poller &poller, Fleet &fleet, Trigger &trigger, const PaceOptions &options, int64_t &seq) {
    const int64_t first = seq;
    const size_t messages = options.a_second * options.seconds;
    const size_t wanted = messages * (fleet.ready() / options.rooms);
    std::vector<float> took_ms;
    took_ms.reserve(wanted);
    std::vector<std::string> names;
    for (size_t i = 0; i < options.rooms; ++i) names.push_back(options.room + std::to_string(i));
    fleet.reset_counts();
    fleet.forget_sequence();

    const double server_before = cpu_seconds(options.server), behind_before = cpu_seconds(options.behind);
    const double own_before = cpu_seconds(getpid());
    const long long began = now_ns();
    const auto due_at = [&](size_t message) {
        return began + static_cast<long long>(static_cast<double>(message) * 1e9 / static_cast<double>(options.a_second));
    };
    fleet.on_event = [&](uint32_t, int64_t got, std::string_view) {
        const int64_t index = got - first;
        if (index >= 0 && index < static_cast<int64_t>(messages))
            took_ms.push_back(static_cast<float>(static_cast<double>(now_ns() - due_at(static_cast<size_t>(index))) / 1e6));
    };
    size_t sent = 0;
    long long last_sent = began;
    while (took_ms.size() < wanted && trigger.error().empty() && fleet.counts().lost == 0) {
        const long long now = now_ns();
        for (; sent < messages && due_at(sent) <= now; ++sent) {
            trigger.publish(names[sent % options.rooms], payload_of(first + static_cast<int64_t>(sent), options.size));
            last_sent = now;
        }
        trigger.flush();
        if (sent == messages && now - last_sent > options.patience_s * 1'000'000'000LL) break;
        poller.turn(1);
    }
    const double seconds = static_cast<double>(now_ns() - began) / 1e9;
    const double server = cpu_seconds(options.server) - server_before, behind = cpu_seconds(options.behind) - behind_before;
    const double own = cpu_seconds(getpid()) - own_before;
    fleet.on_event = nullptr;
    seq = first + static_cast<int64_t>(messages);

    std::sort(took_ms.begin(), took_ms.end());
    const auto at = [&](double q) {
        return took_ms.empty() ? 0.0F : took_ms[std::min(took_ms.size() - 1, static_cast<size_t>(q * static_cast<double>(took_ms.size())))];
    };
    return {{"messages", messages},
            {"wanted", wanted},
            {"deliveries", took_ms.size()},
            {"seconds", seconds},
            {"p50Ms", at(.5)},
            {"p99Ms", at(.99)},
            {"maxMs", at(1)},
            {"serverCpu", server},
            {"behindCpu", behind},
            {"clientCpu", own},
            {"lost", fleet.counts().lost},
            {"repeated", fleet.counts().repeated},
            {"reasons", fleet.counts().reasons},
            {"error", trigger.error()}};
}

}  // namespace bench
