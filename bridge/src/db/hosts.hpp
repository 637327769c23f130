// The hosts of a connection string, and the lists that libpq wants once their names are resolved. libpq itself looks names up with the
// loop standing still, so a slow name server would stop every client; with `hostaddr` given it looks nothing up, and still verifies
// certificates against `host`. Used by Connection before each try.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "loop/loop.hpp"

namespace bridge::db {

struct HostPort {
    std::string host;  // as written: a name, an address, or a socket's folder; empty: libpq's default
    std::string port;
};

// `host` and `port` as in a connection string: comma-separated, one port for all or one for each. A port list of another length is
// left to libpq to complain about: then nothing comes back.
std::vector<HostPort> split_hosts(const std::string &host, const std::string &port);

// Must a name server be asked? Not for addresses and socket folders.
bool is_name(const std::string &host);

// The hosts that a connection with this string would try, the environment (PGHOST …) included; nothing when no name is among them or
// the addresses are given (hostaddr). Names in a service file stay libpq's.
std::vector<HostPort> hosts_to_look_up(const std::string &conninfo);

// libpq's three parallel lists: each host once for each of its addresses. An empty list of addresses leaves the host as it is.
struct HostLists {
    std::string host, hostaddr, port;
};
HostLists join_hosts(const std::vector<std::pair<HostPort, std::vector<std::string>>> &hosts);

// The look-up of all names among `hosts`, for one try. `then` gets the lists without the names that were not found, or why none was;
// it may destroy this object. It comes in a later turn; not at all once the object is gone.
class Lookup {
public:
    using Then = std::function<void(Result<HostLists>)>;
    Lookup(loop::Loop &loop, std::vector<HostPort> hosts, Then then);

private:
    void found(std::size_t n, std::vector<std::string> addresses, const std::string &why);

    std::vector<std::pair<HostPort, std::vector<std::string>>> hosts_;
    std::vector<std::unique_ptr<loop::Resolve>> waiting_;
    std::size_t missing_ = 0;
    std::string why_;
    Then then_;
};

}  // namespace bridge::db
