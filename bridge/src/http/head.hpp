// The head of a request beyond its syntax: what its target says, and what makes it ambiguous or malformed. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "http/request.hpp"

namespace bridge::http {

struct Flaw {
    int status;
    std::string_view message;
};

// A reason to refuse the request and close: somebody between here and the client may read it another way.
std::optional<Flaw> flaw_of_headers(const Request &request);

// Fills path and query. False: it is no path, or not UTF-8 behind its percent signs.
bool read_target(std::string_view target, Request &request);

bool same_word(std::string_view a, std::string_view b);  // whatever the case

bool is_text(std::string_view bytes);  // UTF-8 without NUL: what PostgreSQL takes

}  // namespace bridge::http
