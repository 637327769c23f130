// The event loop: one uv_loop_t that everything in the process shares, libpq included.
// A thin, typed face on libuv: watch a descriptor, run something later, post from another thread, catch a
// signal, and the hook at the end of each turn where outboxes are flushed. It knows no sockets and no protocol.
// The many descriptors of connections are the Poller's.
// Everything here belongs to the loop's thread; post() is the only call allowed from another one.
// Handles are RAII: destroying a Watch or Timer stops it at once, libuv's own memory is freed a turn later.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "loop/poller.hpp"
#include "loop/resolver.hpp"

struct uv_loop_s;

namespace bridge::loop {

enum Events : unsigned { kNone = 0, kReadable = 1, kWritable = 2, kFailed = 4 };

// Watches one descriptor. The descriptor must stay open until the Watch is gone.
class Watch {
public:
    using Callback = std::function<void(unsigned events)>;

    Watch(uv_loop_s *loop, int fd, Callback callback);
    ~Watch();
    Watch(const Watch &) = delete;
    Watch &operator=(const Watch &) = delete;

    void want(unsigned events);  // kNone pauses
    int fd() const { return fd_; }

private:
    struct Handle;
    Handle *handle_;
    int fd_;
    unsigned wanted_ = kNone;
};

// One-shot or repeating timer for the few (reconnect, safety checks). Connections use the Wheel.
class Timer {
public:
    using Callback = std::function<void()>;

    explicit Timer(uv_loop_s *loop);
    ~Timer();
    Timer(const Timer &) = delete;
    Timer &operator=(const Timer &) = delete;

    void once(std::chrono::milliseconds after, Callback callback);
    void every(std::chrono::milliseconds period, Callback callback);
    void stop();
    bool active() const;

private:
    struct Handle;
    Handle *handle_;
};

// A signal as an ordinary callback on the loop.
class Signal {
public:
    Signal(uv_loop_s *loop, int number, std::function<void(int)> callback);
    ~Signal();
    Signal(const Signal &) = delete;
    Signal &operator=(const Signal &) = delete;

private:
    struct Handle;
    Handle *handle_;
};

class Loop {
public:
    Loop();
    ~Loop();
    Loop(const Loop &) = delete;
    Loop &operator=(const Loop &) = delete;

    std::unique_ptr<Watch> watch(int fd, Watch::Callback callback);
    std::unique_ptr<Timer> timer();
    std::unique_ptr<Signal> signal(int number, std::function<void(int)> callback);

    Poller &poller();  // made when it is first asked for

    // The addresses of a host name, see resolver.hpp.
    std::unique_ptr<Resolve> resolve(const std::string &host, Resolve::Callback callback);

    // Runs later in this turn or the next, never inside the caller. Safe from any thread.
    void post(std::function<void()> task);

    // Called once a turn, just before the loop may sleep. What a hook makes dirty is handled in the next turn,
    // unless it calls wake(). Hooks live as long as the loop.
    void at_turn_end(std::function<void()> hook);
    void wake();

    void run();  // until stop()
    void stop();
    void run_once();  // one turn without sleeping (tests, shutdown)

    uv_loop_s *raw() { return loop_.get(); }

private:
    struct Own;  // async and prepare handles, the resolver
    struct Closer {
        void operator()(uv_loop_s *loop) const;
    };

    static std::unique_ptr<uv_loop_s, Closer> open();
    void run_posted();
    void run_hooks();

    std::unique_ptr<uv_loop_s, Closer> loop_;
    Own *own_;
    std::mutex posted_lock_;
    std::vector<std::function<void()>> posted_;
    std::vector<std::function<void()>> hooks_;
};

}  // namespace bridge::loop
