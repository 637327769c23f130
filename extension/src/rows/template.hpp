// Templates of rooms, partition keys and payloads: text with placeholders {column}, {old.column}, {new.column} and
// {column:text}; "{{" and "}}" are plain braces. Parsed once a trigger and relation, rendered for each row from values that the
// caller has already turned to text. Knows no table: columns are names here. Pure; used by the triggers of watches and of jobs.
#pragma once

#include "names/rules.hpp"

#include <span>
#include <vector>

namespace pulse::rows {

using namespace names;

enum Operation : unsigned { kInsert = 1, kUpdate = 2, kDelete = 4 };

enum class RowOf { kCurrent, kOld, kNew };  // kCurrent: the new row, of a delete the old one

struct Placeholder {
    RowOf row = RowOf::kCurrent;
    std::string column;
    bool operator==(const Placeholder &) const = default;
    std::string written() const;  // "{old.status}"
};

// A value of a placeholder: JSON text, or the text of a string before escaping.
struct Rendered {
    bool null = true;
    bool string = false;
    std::string text;
};

// A piece of text, or the value number `ref`.
struct Part {
    std::string literal;
    int ref = -1;
};
using TextTemplate = std::vector<Part>;

struct Member;
// One value in a payload template.
struct JsonNode {
    enum class Kind { kRaw, kValue, kString, kObject, kArray } kind = Kind::kRaw;
    std::string raw;              // kRaw: JSON text
    int ref = -1;                 // kValue
    bool as_text = false;         // kValue: always a string
    TextTemplate parts;           // kString: literals are JSON-escaped already
    std::vector<Member> members;  // kObject
    std::vector<JsonNode> items;  // kArray
};
struct Member {
    std::string key;        // JSON string with quotes
    bool optional = false;  // left out when its value is null
    JsonNode value;
};

// Placeholders of all templates of one watch, each once.
class Placeholders {
public:
    int add(const Placeholder &placeholder);
    const std::vector<Placeholder> &all() const { return all_; }

private:
    std::vector<Placeholder> all_;
};

std::optional<Problem> parse_text(std::string_view text, Placeholders &placeholders, TextTemplate &out);
// `what`: for messages.
std::optional<Problem> parse_payload(std::string_view json, Placeholders &placeholders, JsonNode &out, std::string_view what = "payload");

// False when a value is null: then there is no such room (or key).
bool render_room(const TextTemplate &room, std::span<const Rendered> values, std::string &out);
bool render_text(const TextTemplate &text, std::span<const Rendered> values, std::string &out);
void render_json(const JsonNode &node, std::span<const Rendered> values, std::string &out);

}  // namespace pulse::rows
