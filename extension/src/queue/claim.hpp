// The foreman's queries. Each runs inside a transaction and an SPI session, with pinned plans. May throw pg::Error.
#pragma once

#include "pg/spi.hpp"
#include "queue/attempt.hpp"
#include "queue/keys.hpp"
#include "queue/lanes.hpp"

#include <span>

namespace pulse::queue {

// Whose share of the places a job of class http takes, as host_of() says. A webhook's is in its arguments, which may be large: they are
// kept as they are stored, and read only when somebody asks, in the transaction that found them.
class HostOfJob {
public:
    HostOfJob() = default;
    explicit HostOfJob(std::string name) : name_(std::move(name)) {}
    static HostOfJob of_arguments(std::string_view stored);
    const std::string &name() const;

private:
    mutable std::string name_, stored_;
};

// A waiting job, as far as it matters for who may begin it.
struct Candidate {
    ItemPointerData row;  // this version of it
    std::int64_t id, run_at;
    int attempt, max_attempts;  // attempt: those that were begun so far
    std::string queue;
    int priority;
    Class klass;
    std::optional<std::string> key;
    HostOfJob host;  // of class http

    Place place() const { return {run_at, id}; }
    LaneName lane() const { return {queue, priority, klass}; }
    bool is_last() const { return attempt + 1 >= max_attempts; }
};

// The jobs of a lane's queue and priority, of any class, from a place on.
std::vector<Candidate> peek(const LaneName &lane, const Place &from, int most);
// The first job of a key that is not executing, from an id on.
std::optional<Candidate> first_of_key(const KeyName &name, std::int64_t from);

struct Claimed {
    AttemptId id;
    std::string kind;  // when it was asked for
};
// Makes them executing and counts the attempt; those that somebody holds, or has changed since they were seen, are left out.
struct Lease {
    std::string_view worker;
    TimestampTz until;
};
std::vector<Claimed> claim(const std::vector<const Candidate *> &jobs, bool tell_kinds, const std::optional<Lease> &lease = {});

struct WaitingLane {
    std::string queue;
    int priority;
};
std::vector<WaitingLane> waiting_lanes();

struct Executing {
    AttemptId id;
    std::string queue;
    std::optional<std::string> key;
    Class klass;
    HostOfJob host;
    TimestampTz attempted_at;
    TimestampTz lease_until;  // of class external
    bool cancelled;
    std::size_t bytes;  // of its arguments
};
std::vector<Executing> executing();
std::vector<Executing> executing(const std::vector<int64> &ids);
// The same, locked; without those that somebody else has locked.
std::vector<Executing> lock_executing(const std::vector<int64> &ids);

// When attempts of a queue ended since then, in order.
std::vector<TimestampTz> ends_since(std::string_view queue, TimestampTz since);

}  // namespace pulse::queue
