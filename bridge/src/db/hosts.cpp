// See hosts.hpp. libpq's own rules: an empty item of a list means the default, so items are kept even when they are empty.
#include "db/hosts.hpp"

#include <arpa/inet.h>

namespace bridge::db {

namespace {

std::vector<std::string> split(const std::string &text) {
    std::vector<std::string> out;
    std::size_t from = 0;
    for (;;) {
        const std::size_t comma = text.find(',', from);
        out.push_back(text.substr(from, comma == std::string::npos ? std::string::npos : comma - from));
        if (comma == std::string::npos) return out;
        from = comma + 1;
    }
}

}  // namespace

std::vector<HostPort> split_hosts(const std::string &host, const std::string &port) {
    const std::vector<std::string> hosts = split(host);
    const std::vector<std::string> ports = split(port);
    if (ports.size() != 1 && ports.size() != hosts.size()) return {};
    std::vector<HostPort> out;
    for (std::size_t i = 0; i < hosts.size(); ++i) out.push_back({hosts[i], ports.size() == 1 ? ports[0] : ports[i]});
    return out;
}

bool is_name(const std::string &host) {
    if (host.empty() || host.front() == '/' || host.front() == '@') return false;
    in6_addr address{};
    const std::string bare = host.substr(0, host.find('%'));  // fe80::1%eth0
    return inet_pton(AF_INET, host.c_str(), &address) != 1 && inet_pton(AF_INET6, bare.c_str(), &address) != 1;
}

HostLists join_hosts(const std::vector<std::pair<HostPort, std::vector<std::string>>> &hosts) {
    HostLists out;
    bool first = true;
    const auto add = [&](const HostPort &one, const std::string &address) {
        const char *comma = first ? "" : ",";
        first = false;
        out.host += comma + one.host;
        out.hostaddr += comma + address;
        out.port += comma + one.port;
    };
    for (const auto &[one, addresses] : hosts) {
        if (addresses.empty()) add(one, "");
        for (const std::string &address : addresses) add(one, address);
    }
    return out;
}

}  // namespace bridge::db
