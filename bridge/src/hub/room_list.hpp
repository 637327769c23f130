// Goes through a JSON array of room names as the dispatcher writes it, without allocating unless a name has escapes. For text from the
// database only: it is strict, but gives up (false) at anything that is no array of strings, and validates no more than that.
#pragma once

#include <string_view>

#include "base/json.hpp"

namespace bridge::hub {

// f(name) → true: go on, false: enough. The name is valid during the call only. Returns false when `rooms` is malformed.
template <class F>
bool each_room(std::string_view rooms, F &&f) {
    std::size_t at = 0;
    const auto skip = [&] {
        while (at < rooms.size() && rooms[at] == ' ') ++at;
    };
    const auto take = [&](char c) { return at < rooms.size() && rooms[at] == c ? (++at, true) : false; };

    skip();
    if (!take('[')) return false;
    skip();
    if (take(']')) return at == rooms.size();
    for (;;) {
        const std::size_t from = at;
        if (!take('"')) return false;
        bool escaped = false;
        while (at < rooms.size() && rooms[at] != '"') {
            if (rooms[at] == '\\') {
                escaped = true;
                ++at;
            }
            ++at;
        }
        if (!take('"')) return false;
        const std::string_view literal = rooms.substr(from, at - from);
        if (!escaped) {
            if (!f(literal.substr(1, literal.size() - 2))) return true;
        } else {
            const auto name = json::unquote(literal);
            if (!name) return false;
            if (!f(std::string_view(*name))) return true;
        }
        skip();
        if (take(']')) return at == rooms.size();
        if (!take(',')) return false;
        skip();
    }
}

}  // namespace bridge::hub
