// Reading the arguments.
#include "queue/row_spec.hpp"

#include <charconv>

#include "pg/pure.hpp"

namespace pulse::queue {

using names::Problem;

static std::optional<int> whole(std::string_view text) {
    int number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
    return number;
}

std::optional<Problem> from_arguments(std::span<const std::string_view> arguments, RowSpec &spec) {
    for (const std::string_view argument : arguments) {
        const size_t equals = argument.find('=');
        const std::string_view key = argument.substr(0, equals);
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
        } else if (key == "priority" || key == "max_attempts") {
            const auto number = whole(value);
            if (!number) return Problem{std::string(key) + " \"" + names::excerpt(value) + "\" is no whole number", {}};
            if (key == "priority")
                spec.priority = *number;
            else
                spec.max_attempts = number;
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
