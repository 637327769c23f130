// What a handler, an answer or a connect function asked the bridge to do, in order, and the binary values that it attached to what it
// sends. What a rolled-back savepoint asked is forgotten. Each message carries the attachments that its own placeholders name,
// numbered anew, so that it stands for itself.
#pragma once

#include "pg/guard.hpp"

#include <map>

namespace pulse::handle {

class Response;

// That a session is present in a room.
struct Lease {
    std::string state;         // compact JSON
    std::optional<int64> ttl;  // ms
    bool announce = true;
};

class Effects {
public:
    enum class Of { kHandler, kConnect };  // a connect function sends; what it joins is its result
    explicit Effects(Of of = Of::kHandler);
    ~Effects();
    Effects(const Effects &) = delete;
    Effects &operator=(const Effects &) = delete;
    static Effects *current();  // null outside
    Of of() const { return of_; }

    void add(std::string json);
    void join(const std::string &room);
    void leave(const std::string &room);
    void track(const std::string &room, const Lease &lease);
    void untrack(const std::string &room);
    std::size_t attach(std::string bytes);  // its number

    // JSON to send, as it goes out, and what it carries.
    struct Message {
        std::string json;
        std::string attachments;  // a JSON array of base64; empty: none
    };
    Message message(std::string_view json) const;  // raises for a placeholder that names nothing

    void forget_since(SubTransactionId id);
    bool empty() const { return effects_.empty(); }
    std::string json() const;
    // The rooms joined (true) and left, in order.
    std::vector<std::pair<bool, std::string>> memberships() const;
    // Where the session is present in the end, by room; nullopt: not any more. Leaving a room ends presence there, too.
    std::map<std::string, std::optional<Lease>> presence() const;

private:
    struct Effect {
        SubTransactionId id;
        std::string json;
        std::optional<std::pair<bool, std::string>> membership;
        std::optional<std::pair<std::string, std::optional<Lease>>> presence;
    };
    struct Attachment {
        SubTransactionId id;
        std::string bytes;
    };
    Of of_;
    std::vector<Effect> effects_;
    std::vector<Attachment> attachments_;
    Effects *outer_;
};

// Of the call that runs; raises when `function` has no place in it. The second is for what connect functions may do, too.
Effects &effects_for(const char *function);
Effects &messages_for(const char *function);

// While policies, stream functions and routes run: they may not ask for effects, and no policy answers the route that it is asked for.
class NoEffects {
public:
    NoEffects();
    ~NoEffects();
    NoEffects(const NoEffects &) = delete;
    NoEffects &operator=(const NoEffects &) = delete;

private:
    Effects *outer_;
    Response *outer_response_;
};

}  // namespace pulse::handle
