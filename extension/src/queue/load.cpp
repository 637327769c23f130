// The query behind load().
#include "queue/load.hpp"

#include "queue/plans.hpp"

#include <unordered_map>

namespace pulse::queue {

static Attempt attempt_of(const pg::Row &row, std::string_view worker) {
    const auto text = [&](int column) -> std::optional<std::string> {
        if (const auto value = row.optional_text(column)) return std::string(*value);
        return std::nullopt;
    };
    Attempt job;
    job.id = row.int8(1);
    job.attempt = row.int4(2);
    job.max_attempts = row.int4(3);
    job.priority = row.int4(4);
    job.queue = row.text(5);
    job.kind = row.text(6);
    job.channel = row.text(7);
    job.role = row.text(8);
    job.args = row.text(9);
    job.function = text(10);
    job.unique_key = text(11);
    job.partition_key = text(12);
    job.on_end = text(13);
    job.traceparent = text(14);
    job.errors = text(15);
    job.timeout_ms = static_cast<long>(row.int8(16));
    job.worker = worker;
    return job;
}

std::vector<Attempt> load(std::span<const AttemptId> ids, std::string_view worker) {
    static pg::Plan read("SELECT j.id, j.attempt, j.max_attempts, j.priority, j.queue, j.kind, j.channel, j.role, j.args, j.function, "
                         "j.unique_key, j.partition_key, j.on_end, j.traceparent, j.errors, (extract(epoch FROM j.timeout) * 1000)::bigint "
                         "FROM _pulse.jobs j WHERE j.id = ANY ($1) AND j.state = 'executing'");
    if (ids.empty()) return {};
    std::vector<int64> wanted;
    std::unordered_map<std::int64_t, std::size_t> place;
    for (const AttemptId &id : ids) {
        place.emplace(id.id, wanted.size());
        wanted.push_back(id.id);
    }
    std::vector<std::optional<Attempt>> found(ids.size());
    const PinnedPlans pinned;
    read.for_each({pg::param_int8s(wanted)}, [&](const pg::Row &row) {
        Attempt job = attempt_of(row, worker);
        const std::size_t n = place.at(job.id);
        if (ids[n].attempt == job.attempt) found[n] = std::move(job);
    });
    std::vector<Attempt> jobs;
    for (auto &job : found)
        if (job) jobs.push_back(*std::move(job));
    return jobs;
}

}  // namespace pulse::queue
