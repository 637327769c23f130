// Shares, and the places of what was passed by.
#include "queue/hosts.hpp"

#include "json/slice.hpp"
#include "queue/webhook.hpp"

#include "pg/pure.hpp"

namespace pulse::queue {

std::string host_of(std::string_view channel, std::string_view kind, std::optional<std::string_view> args) {
    if (channel != "webhook") return std::string(channel);
    if (!args) return "kind " + std::string(kind);
    const auto members = json::members(*args);
    const auto url = members ? json::find(*members, "url") : std::nullopt;
    const auto text = url ? json::unescape(*url) : std::nullopt;
    const auto parsed = text ? webhook::parse_url(*text) : std::nullopt;
    if (!parsed) return {};  // whoever begins it refuses it at once
    std::string host = (parsed->tls ? "https://" : "http://") + parsed->host + ":" + std::to_string(parsed->port);
    std::transform(host.begin(), host.end(), host.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return host;
}

Hosts::Passed *Hosts::find(const std::string &host, const LaneName &lane) {
    const auto known = hosts_.find(host);
    if (known == hosts_.end()) return nullptr;
    const auto passed = known->second.passed.find(lane);
    return passed == known->second.passed.end() ? nullptr : &passed->second;
}

void Hosts::drop_if_idle(const std::string &host) {
    if (const auto known = hosts_.find(host); known != hosts_.end() && known->second.running == 0 && known->second.passed.empty())
        hosts_.erase(known);
}

void Hosts::ended(const std::string &host) {
    --hosts_[host].running;
    drop_if_idle(host);
}

bool Hosts::has_room(const std::string &host, int free) const {
    const auto known = hosts_.find(host);
    return (known == hosts_.end() ? 0 : known->second.running) < free;
}

bool Hosts::waits(const std::string &host, const LaneName &lane) const {
    const auto known = hosts_.find(host);
    return known != hosts_.end() && known->second.passed.contains(lane);
}

bool Hosts::pass_by(const std::string &host, const LaneName &lane, const Place &place) {
    const auto [entry, first] = hosts_[host].passed.try_emplace(lane, Passed{place, place, 1});
    if (first) return true;
    Passed &passed = entry->second;
    passed.from = std::min(passed.from, place);
    if (place <= passed.last) return true;  // seen before
    if (passed.count >= kMostPassed) return false;
    passed.last = place;
    ++passed.count;
    return true;
}

void Hosts::taken(const std::string &host, const LaneName &lane) {
    if (Passed *passed = find(host, lane)) passed->count = std::max(passed->count - 1, 0);
}

void Hosts::go_on(const std::string &host, const LaneName &lane, const Place &from) {
    Passed *passed = find(host, lane);
    if (passed == nullptr) return;
    passed->from = from;
    if (from != kNothing) return;
    hosts_.at(host).passed.erase(lane);
    drop_if_idle(host);
}

void Hosts::forget_passed() {
    for (auto &[name, host] : hosts_) host.passed.clear();
    std::erase_if(hosts_, [](const auto &one) { return one.second.running == 0; });
}

}  // namespace pulse::queue
