// The bodies of /health and /ready. Reports what is known and leaves out what is not: the database's own numbers come from
// pulse.status(), asked every few seconds. Pure; the app collects the facts.
#pragma once

#include <optional>
#include <string>

#include "db/listener.hpp"
#include "http/reply.hpp"

namespace bridge::app {

struct Facts {
    db::Listener::Health listener;
    bool pools_up = false;
    std::size_t waiting_statements = 0;
    std::size_t websockets = 0, polling = 0, sse = 0, poll = 0;
    bool draining = false;
    std::optional<std::string> status;  // pulse.status(), when it answered lately
};

http::Reply health(const Facts &facts);
// for_operators: also what PostgreSQL said last, and the problems of pulse.status() with their hints. Not for the public: they name
// databases and settings.
http::Reply ready(const Facts &facts, bool for_operators = false);

}  // namespace bridge::app
