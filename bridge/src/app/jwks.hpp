// The keys that an issuer publishes (--jwt-jwks): read at start, again and again, and when a token names one that nobody knows. What was
// read last stays until a newer one could be read. Reading takes a thread, so the loop never waits.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "auth/jwks.hpp"
#include "auth/jwt.hpp"
#include "loop/loop.hpp"

namespace bridge::app {

class Jwks {
public:
    struct Options {
        std::string source;                      // a path or a URL; empty: there is none
        std::chrono::milliseconds refresh;       // between readings
        std::chrono::milliseconds min_interval;  // of readings that clients cause
    };
    Jwks(loop::Loop &loop, auth::Verifier &verifier, Options options);
    ~Jwks();
    Jwks(const Jwks &) = delete;
    Jwks &operator=(const Jwks &) = delete;

    void start();
    void read();  // unless it is under way
    // True: the keys are being read, and `then` is called afterwards, whatever came of it. False: they were read a moment ago, or too many
    // wait.
    bool await(std::function<void()> then);

private:
    struct Reading;
    void done(Result<auth::Jwks> found);

    loop::Loop &loop_;
    auth::Verifier &verifier_;
    const Options options_;
    std::unique_ptr<loop::Timer> timer_;
    std::shared_ptr<Reading> reading_;  // null: none is under way
    std::chrono::steady_clock::time_point asked_{};
    std::vector<std::function<void()>> waiting_;
};

}  // namespace bridge::app
