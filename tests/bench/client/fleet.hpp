// Thousands of clients in one process: connects them, hands bytes to their protocol, and counts what arrives. Never parses JSON on
// the delivery path: it looks for `"seq":` and the offset at the end. Used by the load client's commands; one thread, on the
// caller's Poller.
#pragma once

#include "client/socket.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

class Protocol;

struct FleetOptions {
    std::string host = "127.0.0.1";
    int port = 0;
    std::string protocol = "socketio";
    std::string path;                // empty: the protocol's own; {i} is the socket's number, {i/10} a tenth of it
    std::string secret;              // empty: no token is sent
    std::string user = "load{i}";    // {i} as above
    std::string claims;              // more members of the claims object
    std::vector<std::string> rooms;  // joined after connecting
    std::string event = "bench";     // only this event counts as a delivery
    size_t at_a_time = 128;          // handshakes
    bool check_positions = false;    // the offset argument at the end must grow on each socket
    bool recover = false;            // a socket that comes back asks for its session, by pid and offset
};

struct FleetCounts {
    uint64_t deliveries = 0;
    uint64_t bytes = 0;  // of delivered events' payload text
    uint64_t other_events = 0;
    uint64_t pings = 0;
    uint64_t repeated = 0;  // seq not above the last one on that socket: a duplicate or out of order
    uint64_t skipped = 0;   // seq numbers missing on a socket
    uint64_t position_errors = 0;
    uint64_t refused = 0;                     // connecting or joining
    uint64_t lost = 0;                        // connections that ended without being asked to
    uint64_t recovered = 0, fresh = 0;        // of the sockets that came back: with their session, or with a new one
    std::map<std::string, uint64_t> reasons;  // why refused or lost
};

class Fleet {
public:
    // seq is -1 when the event carries none.
    using OnEvent = std::function<void(uint32_t socket, int64_t seq, std::string_view text)>;

    Fleet(Poller &poller, FleetOptions options);
    ~Fleet();

    // Makes sockets until `target` exist, with their tokens, and connects nothing: signing is no part of what is measured.
    void prepare(size_t target);
    // Starts waiting handshakes, at most options.at_a_time at once; call it once a turn until settled() reaches target().
    void pump();
    size_t ready() const { return ready_; }
    size_t target() const { return sockets_.size(); }
    // Ready sockets plus those that failed for good.
    size_t settled() const { return ready_ + failed_; }
    void emit(uint32_t socket, std::string_view packet);  // one text message, as it is
    void close_all(bool reset);

    // Ends all connections as a pulled cable would look to the server, by a reset; the sockets keep what recovery needs.
    void cut();
    // Connects a socket again that was cut, to `port`.
    void come_back(uint32_t socket, int port);
    int64_t last_seq(uint32_t socket) const;

    FleetCounts &counts() { return counts_; }
    void reset_counts();
    // Forgets the last seq of every socket, so that a new run may start anywhere.
    void forget_sequence();
    OnEvent on_event;
    // Of an event that emit() sent: its ack id and the array of arguments behind it.
    std::function<void(uint32_t socket, std::string_view text)> on_ack;

    // For protocols.
    const FleetOptions &options() const { return options_; }
    std::string expand(const std::string &text, uint32_t number) const;
    void send(Socket &socket, std::string_view bytes);
    void entered(Socket &socket);  // its opening is done
    void delivered(Socket &socket, std::string_view text);
    void fail(Socket &socket, const std::string &reason);
    uint32_t next_mask() { return mask_ += 0x9e3779b9; }

private:
    friend struct Socket;

    void open(Socket &socket);
    void connected(Socket &socket);
    void on_socket(Socket &socket, uint32_t events);
    void hang_up(Socket &socket, bool reset);

    Poller &poller_;
    FleetOptions options_;
    std::unique_ptr<Protocol> protocol_;
    std::vector<std::unique_ptr<Socket>> sockets_;
    size_t opened_ = 0;  // sockets_ before it were connected at least once
    size_t ready_ = 0, failed_ = 0, opening_ = 0;
    FleetCounts counts_;
    std::vector<char> buffer_;
    uint32_t mask_ = 0x5bd1e995;
};

}  // namespace bench
