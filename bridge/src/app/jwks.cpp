#include "app/jwks.hpp"

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

#include "app/jwks_read.hpp"
#include "base/log.hpp"

namespace bridge::app {

namespace {
constexpr std::size_t kMostWaiting = 10'000;
constexpr auto kPatience = std::chrono::seconds(1);  // for a reading that was told to end
}  // namespace

// Belongs to the thread and to us.
struct Jwks::Reading {
    std::mutex lock;
    std::condition_variable ended;
    bool is_over = false;
    Jwks *owner = nullptr;  // null: nobody wants it any more
    std::atomic<bool> cancelled = false;

    void run(const std::string &source, const std::shared_ptr<Reading> &self) {
        auto found = std::make_shared<Result<auth::Jwks>>(read_jwks(source, cancelled));
        const std::lock_guard<std::mutex> guard(lock);
        is_over = true;
        ended.notify_all();
        if (owner == nullptr) return;
        owner->loop_.post([self, found] {  // run by the loop, or dropped with it
            if (self->owner != nullptr) self->owner->done(std::move(*found));
        });
    }
};

Jwks::Jwks(loop::Loop &loop, auth::Verifier &verifier, Options options)
    : loop_(loop), verifier_(verifier), options_(std::move(options)), timer_(loop.timer()) {
    if (!options_.source.empty()) verifier_.expect_published();
}

Jwks::~Jwks() {
    if (!reading_) return;
    std::unique_lock<std::mutex> guard(reading_->lock);
    reading_->owner = nullptr;
    reading_->cancelled = true;
    if (reading_->ended.wait_for(guard, kPatience, [this] { return reading_->is_over; })) return;
    // It asks a name server that does not answer. The process ends without waiting for it, and without taking anything away from it.
    on_exit(
        [](int code, void *) {
            std::fflush(nullptr);
            _exit(code);
        },
        nullptr);
}

void Jwks::start() {
    if (options_.source.empty()) return;
    timer_->every(options_.refresh, [this] { read(); });
    read();
}

void Jwks::read() {
    if (reading_ || options_.source.empty()) return;
    reading_ = std::make_shared<Reading>();
    reading_->owner = this;
    asked_ = std::chrono::steady_clock::now();
    std::thread([reading = reading_, source = options_.source] { reading->run(source, reading); }).detach();
}

bool Jwks::await(std::function<void()> then) {
    if (waiting_.size() >= kMostWaiting) return false;
    if (!reading_ && std::chrono::steady_clock::now() - asked_ < options_.min_interval) return false;
    read();
    waiting_.push_back(std::move(then));
    return true;
}

void Jwks::done(Result<auth::Jwks> found) {
    reading_.reset();
    if (found) {
        for (const std::string &why : found->ignored) log::debug("a key of the JWKS is not used", {{"why", why}});
        log::debug("the JWKS was read", {{"keys", found->keys.size()}});
        verifier_.set_published(std::move(found->keys));
    } else {
        log::warn("the JWKS could not be read; the keys before it count on", {{"source", options_.source}, {"why", found.error().detail}});
    }
    for (const auto &then : std::exchange(waiting_, {})) then();
}

}  // namespace bridge::app
