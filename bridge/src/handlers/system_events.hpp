// What the log's room pulse:system means for the clients here: tokens revoked, rooms taken away, sessions that went on on another
// bridge. The hub has done its own part when these are called.
#pragma once

#include "handlers/services.hpp"

namespace bridge::handlers {

class SystemEvents {
public:
    explicit SystemEvents(Services &services);
    SystemEvents(const SystemEvents &) = delete;
    SystemEvents &operator=(const SystemEvents &) = delete;

    // Reads the revocations that there are already, again and again until PostgreSQL answers.
    void start();

private:
    void handle(const hub::Event &event);
    void taken_over(const hub::Event &event);

    struct Alarm : loop::Wheel::Entry {
        explicit Alarm(SystemEvents &owner);
        SystemEvents &owner;
    };

    Services &services_;
    Alarm alarm_;
};

}  // namespace bridge::handlers
