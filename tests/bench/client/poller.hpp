// The load client's event loop: epoll and objects that are told when their descriptor is ready. Single-threaded.
#pragma once

#include <array>
#include <ctime>
#include <stdexcept>
#include <sys/epoll.h>
#include <unistd.h>

namespace bench {

class Ready {
public:
    virtual ~Ready() = default;
    virtual void on_ready(uint32_t events) = 0;
};

class Poller {
public:
    Poller() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
        if (epoll_ < 0) throw std::runtime_error("epoll_create1 failed");
    }
    ~Poller() { close(epoll_); }
    Poller(const Poller &) = delete;
    Poller &operator=(const Poller &) = delete;

    // `target` must outlive its descriptor's registration.
    void add(int fd, uint32_t events, Ready &target) { control(EPOLL_CTL_ADD, fd, events, &target); }
    void change(int fd, uint32_t events, Ready &target) { control(EPOLL_CTL_MOD, fd, events, &target); }
    void remove(int fd) { epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr); }

    // Waits at most `timeout_ms` and serves what is ready. An object must not destroy another one from its callback.
    void turn(int timeout_ms) { serve(epoll_wait(epoll_, ready_.data(), static_cast<int>(ready_.size()), timeout_ms)); }

    // The same until a time of the monotonic clock, in nanoseconds.
    void turn_until(long long at_ns, long long now_ns) {
        const long long left = at_ns > now_ns ? at_ns - now_ns : 0;
        const timespec timeout{static_cast<time_t>(left / 1'000'000'000), static_cast<long>(left % 1'000'000'000)};
        serve(epoll_pwait2(epoll_, ready_.data(), static_cast<int>(ready_.size()), &timeout, nullptr));
    }

private:
    void serve(int count) {
        for (int i = 0; i < count; ++i)
            static_cast<Ready *>(ready_[static_cast<size_t>(i)].data.ptr)->on_ready(ready_[static_cast<size_t>(i)].events);
    }

    void control(int operation, int fd, uint32_t events, Ready *target) {
        epoll_event event{};
        event.events = events;
        event.data.ptr = target;
        if (epoll_ctl(epoll_, operation, fd, &event) != 0) throw std::runtime_error("epoll_ctl failed");
    }

    int epoll_;
    std::array<epoll_event, 1024> ready_{};
};

}  // namespace bench
