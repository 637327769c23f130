// The hosts of a connection string, and the lists that libpq wants once their names are resolved. libpq itself looks names up with the
// loop standing still, so a slow name server would stop every client; with `hostaddr` given it looks nothing up. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace bridge::db {

struct HostPort {
    std::string host;  // as written: a name, an address, or a socket's folder; empty: libpq's default
    std::string port;  // empty: libpq's default
};

// `host` and `port` as in a connection string: comma-separated, one port for all or one for each. A port list of another length is
// left to libpq to complain about: then nothing comes back.
std::vector<HostPort> split_hosts(const std::string &host, const std::string &port);

// Must a name server be asked? Not for addresses and socket folders.
bool is_name(const std::string &host);

// libpq's three parallel lists: each host once for each of its addresses. An empty list of addresses leaves the host as it is.
struct HostLists {
    std::string host, hostaddr, port;
};
HostLists join_hosts(const std::vector<std::pair<HostPort, std::vector<std::string>>> &hosts);

}  // namespace bridge::db
