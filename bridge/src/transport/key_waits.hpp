// Requests whose token names a key that the bridge has not heard of: they wait while the issuer is asked for its keys.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "handlers/authenticate.hpp"
#include "http/exchange.hpp"

namespace bridge::transport {

class KeyWaits {
public:
    explicit KeyWaits(handlers::Services &services) : services_(services) {}
    KeyWaits(const KeyWaits &) = delete;
    KeyWaits &operator=(const KeyWaits &) = delete;

    // False: there is nothing to wait for. True: `go` is called later with the exchange, unless its client leaves.
    bool hold(http::Exchange &exchange, std::string_view token, std::function<void(http::Exchange &)> go);

private:
    class One;

    handlers::Services &services_;
    std::uint64_t last_number_ = 0;
    std::unordered_map<std::uint64_t, std::unique_ptr<http::Watcher>> all_;
};

}  // namespace bridge::transport
