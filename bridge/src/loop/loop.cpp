// libuv behind the typed face of loop.hpp. Each handle is a heap block of its own, because libuv keeps it until
// its close callback, which comes a turn after its owner was destroyed.
#include "loop/loop.hpp"

#include <unistd.h>
#include <uv.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>

namespace bridge::loop {

namespace {

void must(int status, const char *what) {
    if (status < 0) throw std::runtime_error(std::string(what) + ": " + uv_strerror(status));
}

template <class Handle>
void close_handle(Handle *handle) {
    uv_close(reinterpret_cast<uv_handle_t *>(&handle->uv), [](uv_handle_t *closed) { delete static_cast<Handle *>(closed->data); });
}

}  // namespace

// ---- Watch

struct Watch::Handle {
    uv_poll_t uv{};
    Callback callback;
    int mask = 0;
    bool owned = true;  // false once the Watch is gone: a callback may destroy its own Watch

    void start() {
        uv_poll_start(&uv, mask, [](uv_poll_t *poll, int status, int fired) {
            auto *handle = static_cast<Handle *>(poll->data);
            if (!handle->owned) return;
            unsigned happened = kNone;
            if (status < 0) {
                happened |= kFailed;
                // libuv stops at POLLERR; but what the other side said before it hung up is still to be read, and then its end.
                handle->start();
            }
            if (fired & UV_READABLE) happened |= kReadable;
            if (fired & UV_WRITABLE) happened |= kWritable;
            handle->callback(happened);
        });
    }
};

Watch::Watch(uv_loop_s *loop, int fd, Callback callback) : handle_(new Handle), fd_(fd) {
    handle_->callback = std::move(callback);
    if (const int status = uv_poll_init(loop, &handle_->uv, fd); status < 0) {
        delete handle_;
        must(status, "uv_poll_init");
    }
    handle_->uv.data = handle_;
}

Watch::~Watch() {
    uv_poll_stop(&handle_->uv);
    handle_->owned = false;
    close_handle(handle_);
}

void Watch::want(unsigned events) {
    if (events == wanted_) return;
    wanted_ = events;
    if (events == kNone) {
        uv_poll_stop(&handle_->uv);
        return;
    }
    handle_->mask = ((events & kReadable) ? UV_READABLE : 0) | ((events & kWritable) ? UV_WRITABLE : 0);
    handle_->start();
}

// ---- Timer

struct Timer::Handle {
    uv_timer_t uv{};
    Callback callback;
};

Timer::Timer(uv_loop_s *loop) : handle_(new Handle) {
    uv_timer_init(loop, &handle_->uv);
    handle_->uv.data = handle_;
}

Timer::~Timer() {
    uv_timer_stop(&handle_->uv);
    close_handle(handle_);
}

namespace {
void fire_timer(uv_timer_t *timer, std::function<void()> &callback, bool repeating) {
    (void)timer;
    if (repeating) {
        const std::function<void()> keep = callback;  // the callback may replace or destroy its own timer
        keep();
    } else {
        const std::function<void()> taken = std::exchange(callback, nullptr);
        if (taken) taken();
    }
}
}  // namespace

void Timer::once(std::chrono::milliseconds after, Callback callback) {
    handle_->callback = std::move(callback);
    // uv's clock is that of the turn's beginning; without this a long turn would shorten the wait
    uv_update_time(handle_->uv.loop);
    uv_timer_start(
        &handle_->uv, [](uv_timer_t *timer) { fire_timer(timer, static_cast<Handle *>(timer->data)->callback, false); },
        static_cast<std::uint64_t>(after.count() < 0 ? 0 : after.count()), 0);
}

void Timer::every(std::chrono::milliseconds period, Callback callback) {
    handle_->callback = std::move(callback);
    const auto ms = static_cast<std::uint64_t>(period.count());
    uv_timer_start(
        &handle_->uv, [](uv_timer_t *timer) { fire_timer(timer, static_cast<Handle *>(timer->data)->callback, true); }, ms, ms);
}

void Timer::stop() { uv_timer_stop(&handle_->uv); }
bool Timer::active() const { return uv_is_active(reinterpret_cast<const uv_handle_t *>(&handle_->uv)) != 0; }

// ---- Signal

struct Signal::Handle {
    uv_signal_t uv{};
    std::function<void(int)> callback;
};

Signal::Signal(uv_loop_s *loop, int number, std::function<void(int)> callback) : handle_(new Handle) {
    handle_->callback = std::move(callback);
    uv_signal_init(loop, &handle_->uv);
    handle_->uv.data = handle_;
    uv_signal_start(
        &handle_->uv, [](uv_signal_t *signal, int caught) { static_cast<Handle *>(signal->data)->callback(caught); }, number);
}

Signal::~Signal() {
    uv_signal_stop(&handle_->uv);
    close_handle(handle_);
}

// ---- Loop

struct Loop::Own {
    uv_async_t async{};
    uv_prepare_t prepare{};
    std::unique_ptr<Resolver> resolver;
    std::unique_ptr<Poller> poller;
};

void Loop::Closer::operator()(uv_loop_s *loop) const {
    for (int turn = 0; turn < 100 && uv_loop_close(loop) == UV_EBUSY; ++turn) uv_run(loop, UV_RUN_NOWAIT);
    if (Resolver::unanswered() == 0) {
        delete loop;
        return;
    }
    // A thread is still asking a name server that does not answer, and has the loop's address. So the loop stays, and the process ends
    // without libuv's own end, which would wait for that thread.
    on_exit(
        [](int code, void *) {
            std::fflush(nullptr);
            _exit(code);
        },
        nullptr);
}

// Only a loop that came about may be closed: libuv says no for want of descriptors.
std::unique_ptr<uv_loop_s, Loop::Closer> Loop::open() {
    auto raw = std::make_unique<uv_loop_s>();
    must(uv_loop_init(raw.get()), "uv_loop_init");
    return std::unique_ptr<uv_loop_s, Closer>(raw.release());
}

Loop::Loop() : loop_(open()), own_(new Own) {
    must(uv_async_init(loop_.get(), &own_->async, [](uv_async_t *async) { static_cast<Loop *>(async->data)->run_posted(); }),
         "uv_async_init");
    own_->async.data = this;
    own_->resolver = std::make_unique<Resolver>(*this);
    uv_prepare_init(loop_.get(), &own_->prepare);
    own_->prepare.data = this;
    uv_prepare_start(&own_->prepare, [](uv_prepare_t *prepare) { static_cast<Loop *>(prepare->data)->run_hooks(); });
}

Loop::~Loop() {
    own_->poller.reset();
    own_->resolver.reset();
    uv_prepare_stop(&own_->prepare);
    uv_close(reinterpret_cast<uv_handle_t *>(&own_->prepare), nullptr);
    uv_close(reinterpret_cast<uv_handle_t *>(&own_->async), nullptr);
    for (int turn = 0; turn < 100 && uv_run(loop_.get(), UV_RUN_NOWAIT) != 0; ++turn) {}
    loop_.reset();
    delete own_;
}

std::unique_ptr<Watch> Loop::watch(int fd, Watch::Callback callback) {
    return std::make_unique<Watch>(loop_.get(), fd, std::move(callback));
}
std::unique_ptr<Timer> Loop::timer() { return std::make_unique<Timer>(loop_.get()); }
std::unique_ptr<Signal> Loop::signal(int number, std::function<void(int)> callback) {
    return std::make_unique<Signal>(loop_.get(), number, std::move(callback));
}

Poller &Loop::poller() {
    if (own_->poller == nullptr) own_->poller = std::make_unique<Poller>(*this);
    return *own_->poller;
}

std::unique_ptr<Resolve> Loop::resolve(const std::string &host, Resolve::Callback callback) {
    return own_->resolver->resolve(host, std::move(callback));
}

void Loop::post(std::function<void()> task) {
    {
        const std::lock_guard<std::mutex> guard(posted_lock_);
        posted_.push_back(std::move(task));
    }
    uv_async_send(&own_->async);
}

void Loop::run_posted() {
    std::vector<std::function<void()>> tasks;
    {
        const std::lock_guard<std::mutex> guard(posted_lock_);
        tasks.swap(posted_);
    }
    for (auto &task : tasks) task();
}

void Loop::at_turn_end(std::function<void()> hook) { hooks_.push_back(std::move(hook)); }
void Loop::wake() { uv_async_send(&own_->async); }

void Loop::run_hooks() {
    for (auto &hook : hooks_) hook();
}

void Loop::run() { uv_run(loop_.get(), UV_RUN_DEFAULT); }
void Loop::stop() { uv_stop(loop_.get()); }
void Loop::run_once() { uv_run(loop_.get(), UV_RUN_NOWAIT); }

}  // namespace bridge::loop
