// Who may open a connection: so many in all, so many of one address, so many a second. Asked for each accepted descriptor, before
// anything is read from it. Pure: addresses and time come in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/error.hpp"
#include "base/token_bucket.hpp"

namespace bridge::net {

struct AdmissionOptions {
    std::size_t max_connections = 100'000;
    std::size_t max_per_ip = 0;              // 0: no limit
    std::uint32_t rate = 0;                  // new connections a second; 0: no limit. As many may come at once.
    std::vector<Network> trusted_proxies{};  // many clients behind one address: max_per_ip is not for them
};

enum class Refusal : std::uint8_t { full, too_many_of_ip, too_fast };

class Admission {
public:
    explicit Admission(AdmissionOptions options) : options_(std::move(options)) {}

    // Nothing: it may stay, and leave() follows some day. `ip` is the peer's own address, whatever headers will say.
    std::optional<Refusal> enter(std::string_view ip, std::int64_t now_ms);
    void leave(std::string_view ip);

    std::size_t open() const { return open_; }

private:
    bool counted(const Address &address) const;

    const AdmissionOptions options_;
    std::size_t open_ = 0;
    TokenBucket rate_;
    std::map<Address, std::size_t> of_ip_;  // only when there is a limit
};

// What the client hears: 503 when full, else 429, and when to come back.
Error error(Refusal refusal);
// The metric label.
std::string_view reason(Refusal refusal);

// The client's own address: the peer's, or when that is a trusted proxy, the last one in X-Forwarded-For that is none. A header that
// makes no sense up to there is not believed beyond the last good address.
std::string client_address(std::string_view peer, std::string_view forwarded_for, const std::vector<Network> &trusted_proxies);

}  // namespace bridge::net
