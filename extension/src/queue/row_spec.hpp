// What a trigger of pulse.enqueue_row says in its arguments 'key=value': the job that a row makes. Pure.
#pragma once

#include "rows/template.hpp"

namespace pulse::queue {

struct RowSpec {
    std::string queue, kind = "sql", timeout = "30 s", unique_mode = "keep";
    std::optional<std::string> function, args, delay, unique_key, partition_key, on_end;
    int priority = 0;
    std::optional<int> max_attempts;
    std::vector<std::pair<std::string, std::string>> where;  // a column and its text
    bool skips_restored = false;
};

// What is wrong with the words themselves; their values are checked when a job is made.
std::optional<names::Problem> from_arguments(std::span<const std::string_view> arguments, RowSpec &spec);

}  // namespace pulse::queue
