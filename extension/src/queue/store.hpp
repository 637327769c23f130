// Writes waiting jobs, and sees to it that they are run and told of: rows, news for the foreman, events. As whoever calls.
#pragma once

#include "pg/guard.hpp"
#include "queue/options.hpp"

namespace pulse::queue {

// Views must outlive the call.
struct NewJob {
    std::string_view args;  // JSON
    std::optional<std::string_view> function, unique_key, partition_key;
};

// Writes one job and returns its id; with a unique key that another waiting job has, that one's, kept or replaced as the options say.
int64 store(const JobOptions &options, const NewJob &job);
// Writes many, in their order; returns how many were stored or replaced.
int64 store_many(const JobOptions &options, const std::vector<NewJob> &jobs);

}  // namespace pulse::queue
