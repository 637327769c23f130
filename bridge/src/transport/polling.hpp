// The HTTP half of an Engine.IO session: its waiting GET, its POST, and what the hub gave that has not been fetched yet. Exists only
// while the session polls. What the hub sends are complete WebSocket frames; they become packets when a GET takes them, so what is
// left at an upgrade goes to the WebSocket as it is.
#pragma once

#include <string>
#include <string_view>

#include "http/exchange.hpp"

namespace bridge::transport {

class Polling final : http::Watcher {
public:
    class User {
    public:
        enum class Taken { good, bad, closed };
        virtual void wanted() = 0;                        // a GET came
        virtual Taken posted(std::string_view body) = 0;  // packets of the client
        virtual void misused() = 0;                       // a second GET or POST, or a body that is none: end it. The last call.
        virtual void left() = 0;                          // the client closed, or its connection broke: end it. The last call.

    protected:
        ~User() = default;
    };

    explicit Polling(User &user) : user_(user) {}
    ~Polling() override;  // a GET that waits gets the close packet
    Polling(const Polling &) = delete;
    Polling &operator=(const Polling &) = delete;

    void get(http::Exchange &exchange);
    void post(http::Exchange &exchange);

    bool wants() const { return get_ != nullptr && rest_.empty(); }  // somebody waits, and has everything so far
    std::string ip;                                                  // whose session it is

    bool waits() const { return get_ != nullptr; }
    // Frames; answers the GET that waits. With none they are kept for the next.
    void give(std::string_view frames);
    void noop();         // answers a GET that waits
    bool say_goodbye();  // answers it with what is left, and the next one with the close packet; true: that is out
    std::string take_rest() { return std::move(rest_); }

private:
    void complete(http::Exchange &exchange) override;
    void gone(http::Exchange &exchange) override;
    void answer(std::string body);

    User &user_;
    http::Exchange *get_ = nullptr;
    http::Exchange *post_ = nullptr;
    std::string rest_;  // frames
};

}  // namespace bridge::transport
