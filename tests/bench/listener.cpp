// listener: LISTENs on one channel and counts what arrives, as the receiver of the pg_notify variant in the TPS
// measurement. Reads as fast as PostgreSQL sends, so that the notification queue is never the limit.
// Started by tests/bench/run: listener CONNINFO CHANNEL; prints "ready", and the count when its standard input ends.
#include <iostream>
#include <libpq-fe.h>
#include <poll.h>
#include <string>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc != 3) {
        std::cerr << "usage: listener CONNINFO CHANNEL" << std::endl;
        return 2;
    }
    PGconn *pg = PQconnectdb(argv[1]);
    const std::string listen = "LISTEN " + std::string(argv[2]);
    PGresult *result = PQexec(pg, listen.c_str());
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        std::cerr << "listener: " << PQerrorMessage(pg);
        return 1;
    }
    PQclear(result);
    std::cout << "ready" << std::endl;
    unsigned long count = 0;
    for (;;) {
        pollfd fds[2] = {{PQsocket(pg), POLLIN, 0}, {0, POLLIN, 0}};
        poll(fds, 2, -1);
        if (fds[0].revents) {
            if (PQconsumeInput(pg) != 1) {
                std::cerr << "listener: " << PQerrorMessage(pg);
                return 1;
            }
            while (PGnotify *notify = PQnotifies(pg)) {
                ++count;
                PQfreemem(notify);
            }
        }
        char byte;
        if (fds[1].revents && read(0, &byte, 1) <= 0) break;
    }
    std::cout << count << std::endl;
    PQfinish(pg);
}
