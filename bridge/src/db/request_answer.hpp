// An HTTP request to a path that SQL answers: what it is asked, and what pulse.handle_request says (docs/reference/bridge.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/traceparent.hpp"

namespace bridge::db {

struct RequestCall {
    std::string method, path;
    std::string request, context;  // JSON objects
    Trace trace;                   // for the log
};
struct FirstEvent {
    std::string event;  // JSON string with its quotes
    std::string data;   // raw JSON
};
struct StreamAnswer {
    std::vector<std::string> rooms;
    std::vector<std::string> events;  // empty: all
    std::vector<FirstEvent> first;
    Cursor position;
    bool recovered = false;  // what came after `since` may be given
    Position since;
    std::string must_refetch;
};

// The answer of a route.
struct Response {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers;
    std::optional<std::string> body;  // as it goes out
    bool json = true;                 // what the body is when no header says so
};

struct RequestAnswer {
    using What = std::variant<StreamAnswer, Response>;
    Result<What> what;
    std::string method, path;  // as they were registered; empty: nothing is, or it is not known

    RequestAnswer(StreamAnswer stream) : what(What(std::move(stream))) {}
    RequestAnswer(Response response) : what(What(std::move(response))) {}
    RequestAnswer(Error error) : what(std::move(error)) {}
};

std::optional<RequestAnswer> read_request_answer(std::string_view json);  // nothing: it has not the agreed form
// `context`: of the SQL error; it says which route it was.
RequestAnswer failed_request(Error error, std::string_view context);

}  // namespace bridge::db
