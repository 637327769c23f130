// publisher: paced events, for the latency measurement. Open loop: event i is due at start + i / rate whatever happened to
// the ones before it, so a stall is seen by every event it delays. Each event is one transaction on one of N connections;
// the time is taken right after the commit returned, on the clock that the load client uses.
// Writes "seq due_ns sent_ns committed_ns" lines. Started by tests/bench/run.
#include "client/process.hpp"

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <libpq-fe.h>
#include <sys/prctl.h>
#include <thread>
#include <vector>

namespace {

struct Options {
    std::string conninfo, sql, out;
    double rate = 1000;
    double seconds = 10;
    int connections = 4;
    long first = 1;
    int rooms = 1;
};

struct Sample {
    long seq;
    long long due, sent, committed;
};

void sleep_until(long long due) {
    const timespec at{due / 1'000'000'000, due % 1'000'000'000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {}
}

PGconn *connect(const Options &options) {
    PGconn *pg = PQconnectdb(options.conninfo.c_str());
    PGresult *result = PQstatus(pg) == CONNECTION_OK ? PQprepare(pg, "publish", options.sql.c_str(), 2, nullptr) : nullptr;
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        std::cerr << "publisher: " << PQerrorMessage(pg);
        std::exit(1);
    }
    PQclear(result);
    return pg;
}

// Publishes the events whose number is `own` modulo the number of connections.
void publish(const Options &options, PGconn *pg, int own, long long start, std::vector<Sample> &samples) {
    prctl(PR_SET_TIMERSLACK, 1UL);
    const long count = static_cast<long>(options.rate * options.seconds);
    const double step = 1e9 / options.rate;
    const std::string pad(200, 'x');
    for (long i = own; i < count; i += options.connections) {
        const long seq = options.first + i;
        const std::string number = std::to_string(i % options.rooms);
        const std::string payload = "{\"seq\":" + std::to_string(seq) + ",\"pad\":\"" + pad + "\"}";
        const char *values[2] = {number.c_str(), payload.c_str()};
        const long long due = start + static_cast<long long>(static_cast<double>(i) * step);
        sleep_until(due);
        const long long sent = bench::now_ns();
        PGresult *result = PQexecPrepared(pg, "publish", 2, values, nullptr, nullptr, 0);
        const long long committed = bench::now_ns();
        const ExecStatusType status = PQresultStatus(result);
        PQclear(result);
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
            std::cerr << "publisher: " << PQerrorMessage(pg);
            std::exit(1);
        }
        samples.push_back({seq, due, sent, committed});
    }
}

}  // namespace

int main(int argc, char **argv) {
    Options options;
    CLI::App app("Paced events, one transaction each");
    app.add_option("--conninfo", options.conninfo)->required();
    app.add_option("--sql", options.sql, "$1 is the room's number as text, $2 the payload as text")->required();
    app.add_option("--out", options.out)->required();
    app.add_option("--rate", options.rate, "events a second");
    app.add_option("--seconds", options.seconds);
    app.add_option("--connections", options.connections);
    app.add_option("--first", options.first, "first sequence number");
    app.add_option("--rooms", options.rooms, "events go round this many rooms");
    CLI11_PARSE(app, argc, argv);

    std::vector<PGconn *> connections;
    for (int i = 0; i < options.connections; ++i) connections.push_back(connect(options));
    std::vector<std::vector<Sample>> samples(connections.size());
    std::vector<std::thread> threads;
    const long long start = bench::now_ns() + 50'000'000;
    for (size_t i = 0; i < connections.size(); ++i) {
        samples[i].reserve(static_cast<size_t>(options.rate * options.seconds));
        threads.emplace_back(publish, std::cref(options), connections[i], static_cast<int>(i), start, std::ref(samples[i]));
    }
    for (auto &thread : threads) thread.join();
    std::ofstream file(options.out);
    for (const auto &part : samples)
        for (const Sample &s : part) file << s.seq << ' ' << s.due << ' ' << s.sent << ' ' << s.committed << '\n';
    for (PGconn *pg : connections) PQfinish(pg);
    return file.flush() ? 0 : 1;
}
