// Host names to addresses without the loop standing still: getaddrinfo runs in a thread of libuv's. Several who want the same name at
// the same time share one look-up, since a slow name server would else hold up libuv's few threads. Nothing is remembered afterwards.
// Made by Loop; used through Loop::resolve().
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace bridge::loop {

class Loop;
class Resolver;
class Timer;

// One who waits for a name. Destroying it stops it at once.
class Resolve {
public:
    // The numeric addresses in the system's order of preference; none: `why` says what was wrong. May destroy its own Resolve.
    using Callback = std::function<void(std::vector<std::string> addresses, const std::string &why)>;

    ~Resolve();
    Resolve(const Resolve &) = delete;
    Resolve &operator=(const Resolve &) = delete;

private:
    friend class Resolver;
    struct Lookup;
    explicit Resolve(Callback callback);
    void answer(std::vector<std::string> addresses, const std::string &why);

    Callback callback_;
    Lookup *lookup_ = nullptr;        // null once answered
    std::unique_ptr<Timer> refused_;  // no look-up could be begun
};

class Resolver {
public:
    explicit Resolver(Loop &loop) : loop_(loop) {}
    ~Resolver();
    Resolver(const Resolver &) = delete;
    Resolver &operator=(const Resolver &) = delete;

    // The callback comes in a later turn.
    std::unique_ptr<Resolve> resolve(const std::string &host, Resolve::Callback callback);

    // Look-ups in threads, of this loop or of one that is gone.
    static int unanswered();

private:
    friend struct Resolve::Lookup;
    Loop &loop_;
    std::map<std::string, Resolve::Lookup *> under_way_;
};

}  // namespace bridge::loop
