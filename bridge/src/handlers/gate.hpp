// Who lets a listener in, and to what: the policies of the rooms that it names, or an SQL function that names them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "db/database.hpp"
#include "handlers/authenticate.hpp"

namespace bridge::handlers {

struct Grant {
    ClaimsPtr claims;
    std::string scope;  // base/scope.hpp
    struct Room {
        std::string room;
        Position since;  // replayed after it
    };
    std::vector<Room> rooms;
    Cursor position;               // of the decision
    std::optional<Position> seen;  // what came after it is missing, and may be given
    std::string must_refetch;      // why not, when it was asked for
    std::vector<db::FirstEvent> first;
    std::string correlation_id, traceparent;
};

class Gate {
public:
    using Then = std::function<void(Result<Grant>, const std::string &correlation_id)>;
    virtual ~Gate() = default;
    // Later, never inside the call; the Gate may be gone by then. It may be asked again. `resume`: with the listener's cursor.
    virtual void ask(bool resume, Then then) = 0;
    // The rooms' own policies let it in: it is a member of them like any other.
    virtual bool by_policies() const = 0;
};

// The policies for join, and with a cursor for history, of all its rooms: one that refuses refuses the listener.
class RoomGate final : public Gate {
public:
    RoomGate(Services &services, ClaimsPtr claims, Asker asker, std::string scope, std::vector<std::string> rooms, std::string cursor);
    void ask(bool resume, Then then) override;
    bool by_policies() const override { return true; }

private:
    Services &services_;
    const ClaimsPtr claims_;
    const Asker asker_;
    const std::string scope_;
    const std::vector<std::string> rooms_;
    const std::string cursor_;  // as the client wrote it; empty: none
};

// The function of pulse.stream or pulse.route that the path belongs to. A route answers, and that is all; a stream is opened, and may ask
// again.
class RequestGate final : public Gate {
public:
    struct Question {
        std::string method, path;
        std::string request;  // JSON object, as in bridge.md
        std::string context;  // the same, without correlationId and cursor
        std::string cursor;
        ClaimsPtr claims;              // never null
        std::string correlation_id{};  // empty: each call gets one
        std::string traceparent{};     // as in the context, for the log
    };
    struct Opened {
        Result<std::variant<Grant, db::Response>> what;
        std::string method, path;  // as they were registered; empty: unknown
        std::string correlation_id;
    };
    RequestGate(Services &services, Question question) : services_(services), question_(std::move(question)) {}
    void open(bool resume, std::function<void(Opened)> then);  // later, as ask()
    void ask(bool resume, Then then) override;
    bool by_policies() const override { return false; }

private:
    Services &services_;
    const Question question_;
};

}  // namespace bridge::handlers
