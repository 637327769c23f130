// HTTP requests, many at once and none ever waited for: libcurl's multi interface behind one epoll descriptor, which the worker puts beside
// its latch. HTTP/2 where the other side has it: requests to one host share a connection. No redirects, no proxies, no cookies.
// Pure of the backend: file descriptors are counted by the hooks. libcurl resolves names in threads of its own; all signals are blocked
// around the calls that may start one.
#pragma once

#include "queue/address.hpp"
#include "queue/channel.hpp"

#include <map>
#include <memory>
#include <set>

namespace pulse::queue {

class Http {
public:
    struct Hooks {
        bool (*take_descriptor)();  // false: there are too many already
        void (*give_back_descriptor)();
    };
    struct Done {
        std::uint64_t id;
        Response response;
    };
    static constexpr std::size_t kMostBody = 256 * 1024;  // of an answer; what is more is not read

    Http(Hooks hooks, int most_connections);
    ~Http();
    Http(const Http &) = delete;
    Http &operator=(const Http &) = delete;

    // For requests from now on: a file of CA certificates instead of the system's ("": the system's), and where guarded ones may go.
    void configure(std::string ca_file, std::shared_ptr<const AllowList> allow);
    void limit(int most_connections);
    int descriptor() const { return epoll_; }
    // Milliseconds until drive() has something to do by itself; nullopt: only when the descriptor is readable.
    std::optional<long> due_in() const;
    void start(std::uint64_t id, Request request, long timeout_ms);
    // Forgets it; it is never among the done. Whether something of it may have arrived.
    bool cancel(std::uint64_t id);
    // Does what can be done without waiting, and returns what has ended.
    std::vector<Done> drive();

private:
    struct Transfer;
    struct Watch {
        bool ours = false;      // we opened it, and will hear of its end
        bool wanted = false;    // by a request
        unsigned for_what = 0;  // of epoll; 0: it is not there
    };
    Watch &watch(int fd);
    void unwatch(int fd);

    std::unique_ptr<Transfer> make_transfer();
    void end(Transfer &transfer, bool again = false);
    Done conclude(Transfer &transfer, int code);

    Hooks hooks_;
    void *multi_ = nullptr;
    int epoll_ = -1;
    std::string ca_file_;
    std::uint64_t configured_ = 0;  // how often
    std::vector<Watch> watched_;    // by descriptor
    std::shared_ptr<const AllowList> allow_;
    std::optional<std::int64_t> due_at_;  // of the monotonic clock
    std::map<std::uint64_t, std::unique_ptr<Transfer>> transfers_;
    std::vector<std::unique_ptr<Transfer>> spare_;  // their handles are set up; to make one costs as much as a request
    // Ours, not libcurl's, which would not read an answer that has come in time when it is looked at too late.
    std::set<std::pair<std::int64_t, std::uint64_t>> deadlines_;  // of the monotonic clock; which transfer

    friend struct HttpCallbacks;
};

// Once a process, before the first Http.
bool begin_http();

}  // namespace pulse::queue
