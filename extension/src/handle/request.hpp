// An HTTP request on its way to the function that answers it: who asks, what is registered for its path, what the function is given.
// request.cpp finds and checks; a stream is opened by stream.cpp, a route answered by route.cpp.
#pragma once

#include "handle/call.hpp"
#include "rooms/path.hpp"

namespace pulse::handle {

// A registered stream or route.
struct Target {
    bool stream = false;
    std::string method, path, function, auth;
    rooms::Path::Params params;  // of this request
};

// What the bridge says of who asks, beside what every context has.
struct Asker {
    auth::Context context;
    bool signed_in = false, internal = false, internal_token = false;
    std::optional<std::string> auth_error, auth_reason, cursor;

    explicit Asker(FunctionCallInfo fcinfo);
    void check(const std::string &auth) const;  // raises for one who may not; inside a LogScope
};

struct Request {
    std::string method, path;
    std::string_view given;  // JSON object of the bridge: query, headers, body, …
};

// What the function is given. `body`: JSON text that stands for what the bridge gave; nullopt: as it is.
std::string request_json(const Request &request, const Target &target, const Asker &asker, const std::optional<std::string> &body);

// The answers of pulse.handle_request.
std::string open_stream(Oid owner, const Request &request, const Target &target, const Asker &asker, const std::optional<Cursor> &position);
std::string answer_route(Oid owner, const Request &request, const Target &target, const Asker &asker);
std::string method_not_allowed(const Request &request, const Asker &asker, const std::string &allowed);

}  // namespace pulse::handle
