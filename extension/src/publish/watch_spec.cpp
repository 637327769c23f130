// The trigger arguments of a watch.
#include "publish/watch_spec.hpp"

#include "pg/pure.hpp"

namespace pulse::publish {

static std::string lower_trimmed(std::string_view text) {
    const size_t first = text.find_first_not_of(" \t\n\r");
    if (first == std::string_view::npos) return {};
    text = text.substr(first, text.find_last_not_of(" \t\n\r") - first + 1);
    std::string out;
    for (char c : text) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return out;
}

std::optional<Problem> parse_operations(std::string_view text, unsigned &operations) {
    constexpr const char *kHint = "Operations are insert, update and delete, joined by commas or \"or\".";
    operations = 0;
    std::string words = lower_trimmed(text);
    for (char &c : words)
        if (c == '\t' || c == '\n' || c == '\r') c = ' ';
    for (size_t at; (at = words.find(" or ")) != std::string::npos;) words.replace(at, 4, ",");
    for (size_t start = 0; start <= words.size();) {
        const size_t comma = std::min(words.find(',', start), words.size());
        const std::string word = lower_trimmed(std::string_view(words).substr(start, comma - start));
        if (word == "insert")
            operations |= kInsert;
        else if (word == "update")
            operations |= kUpdate;
        else if (word == "delete")
            operations |= kDelete;
        else
            return Problem{word.empty() ? "an operation is missing" : "unknown operation \"" + excerpt(word) + "\"", kHint};
        start = comma + 1;
    }
    return std::nullopt;
}

std::optional<Problem> parse_on_error(std::string_view text, bool &warn) {
    if (text != "abort" && text != "warn")
        return Problem{"unknown on_error \"" + excerpt(text) + "\"",
                       "on_error is abort (the statement fails) or warn (it lives, the event is lost and counted)."};
    warn = text == "warn";
    return std::nullopt;
}

std::vector<std::string> to_arguments(const WatchSpec &spec) {
    std::vector<std::string> out;
    out.push_back("event=" + spec.event);
    for (const auto &room : spec.rooms) out.push_back("room=" + room);
    if (spec.payload) out.push_back("payload=" + *spec.payload);
    if (spec.channel) out.push_back("channel=" + *spec.channel);
    if (spec.partition_key) out.push_back("partition_key=" + *spec.partition_key);
    for (const auto &column : spec.columns) out.push_back("column=" + column);
    if (spec.warn) out.push_back("on_error=warn");
    return out;
}

std::optional<Problem> from_arguments(std::span<const std::string_view> arguments, WatchSpec &spec) {
    constexpr const char *kHint =
        "Arguments are event=…, room=…, payload=…, channel=…, partition_key=…, column=… and on_error=…; let pulse.watch write them.";
    for (auto argument : arguments) {
        const size_t equals = argument.find('=');
        const std::string_view key = argument.substr(0, equals);
        const std::string value(equals == std::string_view::npos ? std::string_view() : argument.substr(equals + 1));
        if (key == "event")
            spec.event = value;
        else if (key == "room")
            spec.rooms.push_back(value);
        else if (key == "payload")
            spec.payload = value;
        else if (key == "channel")
            spec.channel = value;
        else if (key == "partition_key")
            spec.partition_key = value;
        else if (key == "column")
            spec.columns.push_back(value);
        else if (key == "on_error") {
            if (auto problem = parse_on_error(value, spec.warn)) return problem;
        } else {
            return Problem{"unknown argument \"" + excerpt(argument) + "\" of pulse.publish_trigger", kHint};
        }
    }
    if (spec.event.empty() || spec.rooms.empty()) return Problem{"pulse.publish_trigger needs an event and a room", kHint};
    return std::nullopt;
}

}  // namespace pulse::publish
