// Delivery channel webhook: any HTTP request, signed as Standard Webhooks describes. Pure. docs/reference/webhook.md describes the
// arguments and how a receiver checks the signature.
#pragma once

#include "queue/address.hpp"
#include "queue/channel.hpp"
#include "queue/secrets.hpp"

namespace pulse::queue::webhook {

struct Url {
    bool tls;
    std::string host;  // without brackets
    int port;
};

// http and https only, without user and password, control characters or blanks.
std::optional<Url> parse_url(std::string_view text);

// What the arguments say of the answer.
struct Terms {
    static constexpr long kKept = 4096, kMostKept = 65'536;
    std::size_t keep = kKept;  // bytes of its body
    std::vector<int> final;    // statuses after which another attempt makes no sense
};

struct Order {
    Built built;
    Terms terms;
};

Order build(const Attempt &attempt, std::string_view args, const AllowList &allow, const WebhookSecrets &secrets, std::int64_t now);
Outcome judge(const Response &response, const Terms &terms, std::int64_t now);

}  // namespace pulse::queue::webhook
