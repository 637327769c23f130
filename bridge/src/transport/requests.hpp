// Every path that the bridge does not answer itself is SQL's (docs/reference/streams.md): it is asked once the request is complete, and
// what it gives becomes an event stream.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "transport/sse.hpp"

namespace bridge::transport {

class Requests {
public:
    // internal_token: empty: nobody has it.
    Requests(handlers::Services &services, Sse &sse, std::string internal_token);
    ~Requests();
    Requests(const Requests &) = delete;
    Requests &operator=(const Requests &) = delete;

    void request(http::Exchange &exchange);
    std::size_t waiting() const { return calls_.size(); }

private:
    class Call;
    void ask(Call &call);
    void answered(std::uint64_t number, std::unique_ptr<handlers::Gate> gate, Result<handlers::Grant> grant,
                  const std::string &correlation_id);

    handlers::Services &services_;
    Sse &sse_;
    const std::string internal_token_;
    std::uint64_t last_number_ = 0;
    std::unordered_map<std::uint64_t, std::unique_ptr<Call>> calls_;  // late answers find theirs by its number
};

}  // namespace bridge::transport
