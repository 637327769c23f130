// Every way in which something can go wrong for a client, in one table: the code it reads, the HTTP status, the WebSocket close
// code, the metric label, and whether it should come back by itself. Nothing else in the bridge knows these numbers.
// The client codes are the contract (docs/reference/bridge.md); the other rows say why a connection ended.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace bridge {

enum class Errc : std::uint8_t {
    // answers to one request
    bad_request,
    unauthenticated,
    forbidden,
    not_found,
    conflict,
    payload_too_large,
    invalid,
    rate_limited,
    internal,
    unavailable,
    must_refetch,
    // ends of a connection
    protocol_error,
    ping_timeout,
    connect_timeout,
    slow_client,
    token_expired,
    evicted,
    revoked,
    taken_over,
    shutting_down,
    too_many_connections,
    client_close,
    not_utf8,
};

struct ErrorInfo {
    Errc errc;
    std::string_view code;    // what the client reads in JSON
    std::string_view reason;  // metric label and log field
    int http_status;
    std::uint16_t close_code;  // 1000–1015: RFC 6455; 4000–4099: come back; 4400–4499: as the HTTP status, 4419: expired
    bool reconnect;            // true: a client should come back by itself
};

inline constexpr std::array<ErrorInfo, 23> kErrors{{
    {Errc::bad_request, "bad_request", "bad_request", 400, 4400, false},
    {Errc::unauthenticated, "unauthenticated", "unauthenticated", 401, 4401, false},
    {Errc::forbidden, "forbidden", "forbidden", 403, 4403, false},
    {Errc::not_found, "not_found", "not_found", 404, 4404, false},
    {Errc::conflict, "conflict", "conflict", 409, 4409, false},
    {Errc::payload_too_large, "payload_too_large", "payload_too_large", 413, 1009, true},
    {Errc::invalid, "invalid", "invalid", 422, 4422, false},
    {Errc::rate_limited, "rate_limited", "rate_limited", 429, 4429, true},
    {Errc::internal, "internal", "internal", 500, 1011, true},
    {Errc::unavailable, "unavailable", "unavailable", 503, 1013, true},
    {Errc::must_refetch, "must_refetch", "must_refetch", 410, 4410, true},
    {Errc::protocol_error, "bad_request", "protocol_error", 400, 1002, true},
    {Errc::ping_timeout, "unavailable", "ping_timeout", 503, 4000, true},
    {Errc::connect_timeout, "unavailable", "connect_timeout", 503, 4001, true},
    {Errc::slow_client, "unavailable", "slow_client", 503, 4002, true},
    {Errc::token_expired, "unauthenticated", "token_expired", 401, 4419, false},
    {Errc::evicted, "forbidden", "evicted", 403, 4403, false},
    {Errc::revoked, "unauthenticated", "revoked", 401, 4401, false},
    {Errc::taken_over, "conflict", "taken_over", 409, 4409, false},
    {Errc::shutting_down, "unavailable", "shutting_down", 503, 1001, true},
    {Errc::too_many_connections, "unavailable", "too_many_connections", 503, 1013, true},
    {Errc::client_close, "bad_request", "client_close", 400, 1000, false},
    {Errc::not_utf8, "bad_request", "not_utf8", 400, 1007, true},
}};

constexpr const ErrorInfo &info(Errc errc) { return kErrors[static_cast<std::size_t>(errc)]; }

// The row whose client code is `code`, for errors that come from SQL; `internal` when there is none.
constexpr Errc errc_from_code(std::string_view code) {
    for (const ErrorInfo &row : kErrors) {
        if (row.code == code) return row.errc;
    }
    return Errc::internal;
}

// `detail` is a sentence for the client; it never holds what only the log may know.
struct Error {
    Errc code = Errc::internal;
    std::string detail{};
    std::string hint{};            // empty: none
    std::int64_t retry_after = 0;  // seconds; 0: not said
    std::string details{};         // more members for the client, raw: `"class":"chat","left":3`; empty: none
    std::string limit_class{};     // of `rate_limited`: which limit it was; empty: not said
    std::string_view reason{};     // a word of a fixed list that says more than the code; empty: none
};

}  // namespace bridge
