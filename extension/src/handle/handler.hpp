// What pulse.on registered for an event, and its function ready to be called. Asked for at each event of a client, so what was found is
// kept in the process until anything changes that it was found by: the registration, the function, its schema, roles and memberships.
#pragma once

#include "rooms/function.hpp"

#include <memory>

namespace pulse::handle {

// The function with what the language and PostgreSQL keep for its calls. It is taken out for a call and put back when that has
// succeeded: after an error all of that goes, and one that calls itself gets another.
class Prepared {
public:
    explicit Prepared(const std::string &function);  // inside an OwnerScope; raises what Callable raises
    ~Prepared();
    Prepared(const Prepared &) = delete;
    Prepared &operator=(const Prepared &) = delete;

    rooms::Callable &callable() { return callable_; }
    void use();   // its memory is the call's
    void keep();  // its memory is the process's

private:
    MemoryContext memory_;
    rooms::Callable callable_;
    bool kept_ = false;
};

struct Handler {
    std::string function;
    std::optional<std::string> key;  // template of the idempotency key
    std::unique_ptr<Prepared> prepared{};

    std::unique_ptr<Prepared> take(Oid owner);
    void put_back(std::unique_ptr<Prepared> used);
};

// The application's handler wins over a pack's. null: there is none. Read by a snapshot of its own, so a registration counts at once.
std::shared_ptr<Handler> find_handler(const std::string &name, const std::string &event);

void init_handlers();  // once a process, from _PG_init

}  // namespace pulse::handle
