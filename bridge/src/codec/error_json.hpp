// The one form of an error in JSON: `{"code","message","hint"?,"reason"?,"event"?,"correlationId"?,"retryAfter"?}` and what SQL
// gave as details. Acks and HTTP bodies wrap it as {"error":…}; the events `error` and the native message carry it as it is; connect_error
// has its own data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace bridge::codec {

struct ErrorDetails {
    std::string_view event;
    std::string_view correlation_id;
    std::optional<std::int64_t> retry_after;  // seconds
};

std::string error_json(const Error &error, const ErrorDetails &details = {});
std::string wrapped_error_json(const Error &error, const ErrorDetails &details = {});  // {"error":{…}}
std::string connect_error_data(const Error &error);                                    // {"code":…,"retryable":…,"reason"?:…}

}  // namespace bridge::codec
