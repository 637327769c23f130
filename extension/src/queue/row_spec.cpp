// Reading the arguments.
#include "queue/row_spec.hpp"

#include <algorithm>
#include <charconv>

#include "pg/pure.hpp"

namespace pulse::queue {

using names::Problem;

static std::optional<Problem> read_whole(std::string_view argument, std::string_view text, std::string_view accepted, int &number) {
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool digits = !text.empty() && error != std::errc::invalid_argument && stop == text.data() + text.size();
    if (digits && error == std::errc()) return std::nullopt;
    return Problem{std::string(argument) + " \"" + names::excerpt(text) + "\" is " + (digits ? "out of range" : "no whole number"),
                   "It is a whole number from " + std::string(accepted) + "."};
}

std::optional<Problem> from_arguments(std::span<const std::string_view> arguments, RowSpec &spec) {
    std::vector<std::string_view> given;
    for (const std::string_view argument : arguments) {
        const size_t equals = argument.find('=');
        const std::string_view key = argument.substr(0, equals);
        if (key != "where" && std::find(given.begin(), given.end(), key) != given.end())
            return Problem{"argument \"" + names::excerpt(key) + "\" is given twice",
                           "Give each argument once; only where=… may come again."};
        given.push_back(key);
        const std::string value(equals == std::string_view::npos ? std::string_view() : argument.substr(equals + 1));
        if (key == "queue")
            spec.queue = value;
        else if (key == "kind")
            spec.kind = value;
        else if (key == "function")
            spec.function = value;
        else if (key == "args")
            spec.args = value;
        else if (key == "delay")
            spec.delay = value;
        else if (key == "timeout")
            spec.timeout = value;
        else if (key == "unique_key")
            spec.unique_key = value;
        else if (key == "unique_mode")
            spec.unique_mode = value;
        else if (key == "partition_key")
            spec.partition_key = value;
        else if (key == "on_end")
            spec.on_end = value;
        else if (key == "where") {
            const size_t end = value.find('=');
            if (end == std::string::npos || end == 0)
                return Problem{"where \"" + names::excerpt(value) + "\" compares no column", "Write it as where=column=text."};
            spec.where.emplace_back(value.substr(0, end), value.substr(end + 1));
        } else if (key == "restored") {
            if (value != "skip" && value != "enqueue")
                return Problem{"unknown restored \"" + names::excerpt(value) + "\"", "restored is enqueue or skip."};
            spec.skips_restored = value == "skip";
        } else if (key == "priority") {
            if (auto problem = read_whole(key, value, "-2147483648 to 2147483647; smaller runs first", spec.priority)) return problem;
        } else if (key == "max_attempts") {
            if (auto problem = read_whole(key, value, "1 to 1000", spec.max_attempts.emplace())) return problem;
        } else {
            return Problem{"unknown argument \"" + names::excerpt(argument) + "\" of pulse.enqueue_row",
                           "Arguments are queue=…, kind=…, function=…, args=…, priority=…, delay=…, max_attempts=…, unique_key=…, "
                           "unique_mode=…, partition_key=…, timeout=…, on_end=…, where=… and restored=…."};
        }
    }
    if (spec.queue.empty()) return Problem{"pulse.enqueue_row needs a queue", "Give it the argument 'queue=…'."};
    if (spec.kind == "sql" && !spec.function)
        return Problem{"a job of kind sql needs a function", "Give pulse.enqueue_row the argument 'function=schema.name'."};
    if (spec.kind != "sql" && spec.function)
        return Problem{"a function is given, but the kind of job is \"" + names::excerpt(spec.kind) + "\"",
                       "Only kind sql takes a function; that of another kind is what pulse.job_kind says."};
    return std::nullopt;
}

}  // namespace pulse::queue
