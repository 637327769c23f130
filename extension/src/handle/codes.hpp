// The errors that are made for clients: SQLSTATEs of class PL, whose last three characters are the HTTP status. Any other PLxxx, as user
// code may raise it, is an error like those of every other class.
#pragma once

#include "log/find.hpp"
#include "pg/guard.hpp"

#include <algorithm>

namespace pulse::handle {

constexpr int kBadRequest = MAKE_SQLSTATE('P', 'L', '4', '0', '0');
constexpr int kUnauthenticated = MAKE_SQLSTATE('P', 'L', '4', '0', '1');
constexpr int kForbidden = MAKE_SQLSTATE('P', 'L', '4', '0', '3');
constexpr int kNotFound = MAKE_SQLSTATE('P', 'L', '4', '0', '4');

// Those that pulse.fail raises.
struct Code {
    const char *name;
    int sqlstate;
};
constexpr Code kCodes[] = {
    {"bad_request", kBadRequest},
    {"unauthenticated", kUnauthenticated},
    {"forbidden", kForbidden},
    {"not_found", kNotFound},
    {"conflict", MAKE_SQLSTATE('P', 'L', '4', '0', '9')},
    {"payload_too_large", MAKE_SQLSTATE('P', 'L', '4', '1', '3')},
    {"invalid", MAKE_SQLSTATE('P', 'L', '4', '2', '2')},
    {"rate_limited", MAKE_SQLSTATE('P', 'L', '4', '2', '9')},
    {"unavailable", MAKE_SQLSTATE('P', 'L', '5', '0', '3')},
};

constexpr bool is_client_error(int sqlstate) {
    return sqlstate == log::kMustRefetch ||
           std::any_of(std::begin(kCodes), std::end(kCodes), [=](const Code &code) { return code.sqlstate == sqlstate; });
}

}  // namespace pulse::handle
