// Who is not admitted (net/admission.hpp) hears why. What he asks is read first, for a moment: only a request says which page asks, and
// its browser lets it read no answer without CORS headers.
#pragma once

#include <array>
#include <cstddef>

#include "http/connections.hpp"
#include "net/admission.hpp"

namespace bridge::transport {

class Refusals {
public:
    // So many are read at the same time; more are answered without being read. Goodbyes of other connections count, too: descriptors
    // beyond those that max_connections needs are not many.
    static constexpr std::size_t kMostRead = 256;

    Refusals(loop::Deadlines &deadlines, const http::Cors &cors, http::Limits limits);

    void refuse(net::StreamPtr stream, net::Refusal why, std::size_t goodbyes);
    std::size_t size() const;  // those that are read

private:
    class Door final : private http::Service {
    public:
        Door(loop::Deadlines &deadlines, const http::Cors &cors, const http::Limits &limits, net::Refusal why);
        void add(net::StreamPtr stream) { connections_.add(std::move(stream)); }
        std::size_t size() const { return connections_.size(); }
        const http::Reply &answer() const { return answer_; }

    private:
        void request(http::Exchange &exchange) override;
        void refusing(const http::Request &, http::Reply &reply) override { reply = answer_; }

        const http::Cors &cors_;
        http::Reply answer_;
        http::Connections connections_;
    };
    std::array<Door, 3> doors_;  // by net::Refusal
};

}  // namespace bridge::transport
