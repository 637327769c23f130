// Numbers of queues into gauges.
#include "app/queues.hpp"

#include <limits>

#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace bridge::app {

namespace {

constexpr const char *kStates[] = {"available", "scheduled", "executing", "retryable", "dead"};

}  // namespace

void Queues::show(std::string_view answer) {
    const auto list = json::parse(answer);
    if (!list || !list->is_array()) return;
    std::set<std::string> gone = known_;
    for (const auto &one : *list) {
        if (!one.is_object()) continue;
        const auto name = one.find("queue");
        if (name == one.end() || !name->is_string()) continue;
        const auto &queue = name->get_ref<const std::string &>();
        if (!known_.contains(queue) && known_.size() == Metrics::kMaxNames) continue;
        known_.insert(queue);
        gone.erase(queue);
        for (const char *state : kStates)
            if (const auto count = one.find(state); count != one.end() && count->is_number())
                metrics_.queue_jobs(queue, state).Set(count->get<double>());
        const auto oldest = one.find("oldest_seconds");
        const bool is_known = oldest != one.end() && oldest->is_number();
        metrics_.queue_oldest(queue).Set(is_known ? oldest->get<double>() : std::numeric_limits<double>::quiet_NaN());
    }
    for (const std::string &queue : gone) {
        for (const char *state : kStates) metrics_.queue_jobs(queue, state).Set(0);
        metrics_.queue_oldest(queue).Set(0);
    }
}

}  // namespace bridge::app
