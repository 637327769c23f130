// N connections that share one bounded queue of statements. `depth` statements travel on a connection at once (libpq's pipeline
// mode when it is above 1): 1 for handlers, so that a slow one holds up nobody; more for short questions. A statement that finds no
// connection within its patience, or no room in the queue, is answered as lost: the caller says `unavailable`. Used by Database.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.hpp"
#include "db/connection.hpp"
#include "loop/loop.hpp"

namespace bridge::db {

class QueryPool {
public:
    struct Options {
        std::string name;
        std::string conninfo;
        int size = 4;
        int depth = 1;
        std::vector<const Query *> prepare;
        std::size_t max_waiting = 10'000;
        std::size_t max_waiting_bytes = 128 * 1024 * 1024;
        std::chrono::milliseconds patience_up{10'000};  // waiting while connections are up but busy
        std::chrono::milliseconds statement_timeout{60'000};
    };

    QueryPool(loop::Loop &loop, Rng &rng, Options options);
    ~QueryPool();
    QueryPool(const QueryPool &) = delete;
    QueryPool &operator=(const QueryPool &) = delete;

    void start();
    void stop();  // everything waiting or under way is answered as lost
    // `patience_down`: how long to wait while no connection is up. The answer never comes inside this call.
    void run(const Query &query, std::vector<Parameter> parameters, std::chrono::milliseconds patience_down, OnAnswer answer);

    int up() const { return up_; }
    std::size_t waiting() const { return waiting_.size(); }
    const std::string &failure() const { return failure_; }  // why the last try to connect failed; empty once one is up

private:
    struct Job {
        const Query *query;
        std::vector<Parameter> parameters;
        OnAnswer answer;
        std::chrono::steady_clock::time_point since;
        std::chrono::milliseconds patience_down;
        std::size_t bytes;
    };

    void dispatch();
    void expire();
    void answer_later(OnAnswer answer, SqlError error);
    static SqlError refused(const char *why) { return SqlError{"", why, "", ""}; }

    loop::Loop &loop_;
    Options options_;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::deque<Job> waiting_;
    std::size_t waiting_bytes_ = 0;
    std::unique_ptr<loop::Timer> expiry_;
    int up_ = 0;
    std::string failure_;
    bool stopped_ = true;
    bool dispatching_ = false;
    bool inside_run_ = false;
};

}  // namespace bridge::db
