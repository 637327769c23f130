// Every path that the bridge does not answer itself is SQL's (docs/reference/routes.md, streams.md): it is asked once the request is
// complete, and what it gives is the answer, or becomes an event stream.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "handlers/gate.hpp"
#include "transport/internal_tokens.hpp"
#include "transport/sse.hpp"

namespace bridge::transport {

class Requests {
public:
    Requests(handlers::Services &services, Sse &sse, std::vector<std::string> internal_tokens);
    ~Requests();
    Requests(const Requests &) = delete;
    Requests &operator=(const Requests &) = delete;

    void request(http::Exchange &exchange);
    void use_internal_tokens(std::vector<std::string> tokens) { internal_tokens_.replace(std::move(tokens)); }
    std::size_t waiting() const { return calls_.size(); }

private:
    using Clock = std::chrono::steady_clock;
    class Call;
    struct Measured {  // for the metric
        Clock::time_point began;
        std::string method, path;  // as they were registered; empty: unknown
    };
    void ask(Call &call, bool waited = false);  // waited: for the keys of its token
    void answered(std::uint64_t number, std::unique_ptr<handlers::Gate> gate, handlers::RequestGate::Opened opened);
    void count(const Measured &measured, int status);
    void respond(http::Exchange &exchange, http::Reply reply, const Measured &measured);

    handlers::Services &services_;
    Sse &sse_;
    InternalTokens internal_tokens_;
    std::uint64_t last_number_ = 0;
    std::unordered_map<std::uint64_t, std::unique_ptr<Call>> calls_;  // late answers find theirs by its number
};

}  // namespace bridge::transport
