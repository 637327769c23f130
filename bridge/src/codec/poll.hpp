// What a long-poll is answered with (docs/reference/poll.md): events as the native protocol writes them, and where to go on.
//   {"events":[{"event","args":[…],"room","position","attachments"?},…],"cursor":"<cursor>"}
// The hub shares one encoding of an event among all who wait for it: a line `<cursor> <JSON>\n`. Lines become an answer here. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "codec/native.hpp"

namespace bridge::codec::poll {

// `cursor`: where to go on after it, which is its position when it has one.
std::string line(const native::Event &event, std::string_view cursor);
inline std::string line(const native::Event &event) { return line(event, event.position); }

struct Limits {
    std::size_t events = 1'000;
    std::size_t bytes = 1'000'000;
};

struct Answer {
    std::string body;
    std::string cursor;  // in it
    std::size_t events = 0;
};
// As many of `lines` as the limits allow, one at least. `cursor`: where to go on when those are all.
Answer answer(std::string_view lines, std::string_view cursor, const Limits &limits = {});

// 410: {"error":{"code","message","reason"},"cursor":"…"}
std::string must_refetch(std::string_view reason, std::string_view cursor);

}  // namespace bridge::codec::poll
