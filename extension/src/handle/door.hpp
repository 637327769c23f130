// The connect functions of a namespace: may a client come in, which rooms and which data does it get. All of them are asked; what
// they give is united; one that raises refuses.
#pragma once

#include "handle/leases.hpp"
#include "rooms/function.hpp"

namespace pulse::handle {

struct Welcome {
    std::vector<std::string> rooms;
    std::vector<std::pair<std::string, std::string>> data;  // key, raw JSON; a later function's key wins
    std::string effects;                                    // a JSON array; empty: none
    std::map<std::string, std::optional<Lease>> tracked;    // by room

    void join(std::string room);
    void set(const std::string &key, std::string_view value);
    // What the session had before stays, and what is given anew counts.
    void keep(const std::optional<std::string> &stored);
    std::string data_json() const;
    std::optional<std::string> stored_data() const { return data.empty() ? std::nullopt : std::optional(data_json()); }
};

// Opened for one client: refuses a namespace that does not exist and a token that is revoked.
class Door {
public:
    Door(Oid owner, const std::string &name, const auth::Context &context);
    Welcome greet(const auth::Context &context);
    const std::optional<Cursor> &position() const { return position_; }

private:
    std::optional<Cursor> position_;
    std::vector<std::string> names_;
    std::vector<std::unique_ptr<rooms::Callable>> callables_;
};

}  // namespace pulse::handle
