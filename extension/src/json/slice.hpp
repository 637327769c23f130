// Looks into JSON text without building a tree: splits an object or array into the raw text of its members, reads and
// writes strings, takes white space out. Numbers and key order stay as they were written.
// The functions accept any bytes and never read past them; what is no JSON gives nullopt. They check what they walk
// over, not every scalar: text that PostgreSQL's json type let in is valid anyway. Pure: compiled into the unit tests too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pulse::json {

struct Member {
    std::string key;         // unescaped
    std::string_view value;  // raw JSON text
};

enum class Kind : std::uint8_t { kObject, kArray, kString, kNumber, kBoolean, kNull, kInvalid };

std::string_view trim(std::string_view text);  // without white space around it
Kind kind(std::string_view text);              // by its first character

// A member whose key no text value can hold (\u0000) is left out: nobody can ask for it.
std::optional<std::vector<Member>> members(std::string_view object);
std::optional<std::vector<std::string_view>> elements(std::string_view array);

// The value of a JSON string with its quotes. nullopt for what is no string and for \u0000, which no text value can hold.
std::optional<std::string> unescape(std::string_view string);

// Whether a string in it, key or value, has \u0000 or half of a surrogate pair: grammatical, and nothing that PostgreSQL can unescape.
bool has_unreadable_escape(std::string_view json);

void append_escaped(std::string &to, std::string_view text);  // what stands between the quotes of a JSON string
void append_quoted(std::string &to, std::string_view text);   // as a JSON string
std::string quoted(std::string_view text);
std::string compact(std::string_view text);  // without white space outside strings

// The last member of that name, as jsonb would keep it; nullopt when there is none.
std::optional<std::string_view> find(const std::vector<Member> &members, std::string_view key);

}  // namespace pulse::json
