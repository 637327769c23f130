// See hosts.hpp. libpq's own rules: an empty item of a list means the default, so items are kept even when they are empty.
#include "db/hosts.hpp"

#include <arpa/inet.h>
#include <libpq-fe.h>

#include <algorithm>

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

struct Given {
    std::string host, port, hostaddr;

    void take(PQconninfoOption *options) {
        for (const PQconninfoOption *option = options; option != nullptr && option->keyword != nullptr; ++option) {
            if (option->val == nullptr || *option->val == '\0') continue;
            const std::string_view keyword = option->keyword;
            if (keyword == "host") host = option->val;
            if (keyword == "port") port = option->val;
            if (keyword == "hostaddr") hostaddr = option->val;
        }
        PQconninfoFree(options);
    }
};

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

std::vector<HostPort> hosts_to_look_up(const std::string &conninfo) {
    Given given;
    given.take(PQconndefaults());
    given.take(PQconninfoParse(conninfo.c_str(), nullptr));
    std::vector<HostPort> hosts = split_hosts(given.host, given.port);
    const bool names = std::any_of(hosts.begin(), hosts.end(), [](const HostPort &one) { return is_name(one.host); });
    if (!names || !given.hostaddr.empty()) hosts.clear();
    return hosts;
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

Lookup::Lookup(loop::Loop &loop, std::vector<HostPort> hosts, Then then) : then_(std::move(then)) {
    for (HostPort &one : hosts) hosts_.emplace_back(std::move(one), std::vector<std::string>());
    for (const auto &one : hosts_) missing_ += is_name(one.first.host) ? 1 : 0;
    for (std::size_t n = 0; n < hosts_.size(); ++n) {
        if (!is_name(hosts_[n].first.host)) continue;
        waiting_.push_back(loop.resolve(hosts_[n].first.host, [this, n](std::vector<std::string> addresses, const std::string &why) {
            found(n, std::move(addresses), why);
        }));
    }
}

void Lookup::found(std::size_t n, std::vector<std::string> addresses, const std::string &why) {
    if (addresses.empty()) why_ = "could not look up host \"" + hosts_[n].first.host + "\": " + why;
    hosts_[n].second = std::move(addresses);
    if (--missing_ > 0) return;
    // A name without address is left out: given to libpq, it would be looked up again, with the loop standing still.
    std::erase_if(hosts_, [](const auto &one) { return is_name(one.first.host) && one.second.empty(); });
    const Then then = std::move(then_);
    if (hosts_.empty()) return then(Error{Errc::unavailable, why_});
    then(join_hosts(hosts_));
}

}  // namespace bridge::db
