// A watch as its trigger carries it: arguments 'key=value' of pulse.publish_trigger, so that \d shows them and pg_dump keeps
// them. Reading and writing that form, and the words of operations and on_error. Pure; used by watch and the trigger.
#pragma once

#include "rows/template.hpp"

namespace pulse::publish {

using namespace rows;

struct WatchSpec {
    std::string event;
    std::vector<std::string> rooms;
    std::optional<std::string> payload;
    std::optional<std::string> channel;
    std::optional<std::string> partition_key;
    std::vector<std::string> columns;  // compared by the trigger function, when its WHEN clause cannot
    bool warn = false;
};

std::optional<Problem> parse_operations(std::string_view text, unsigned &operations);  // "insert, update" or "insert or update"
std::optional<Problem> parse_on_error(std::string_view text, bool &warn);

std::vector<std::string> to_arguments(const WatchSpec &spec);
std::optional<Problem> from_arguments(std::span<const std::string_view> arguments, WatchSpec &spec);

}  // namespace pulse::publish
