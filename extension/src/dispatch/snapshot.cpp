// Snapshots as text, and what ended between two of them.
#include "dispatch/snapshot.hpp"

#include <algorithm>
#include <iterator>

#include "pg/pure.hpp"
#include <charconv>

namespace pulse::dispatch {

bool TxSnapshot::running(std::uint64_t xid) const { return std::binary_search(xip.begin(), xip.end(), xid); }

std::string TxSnapshot::text() const {
    std::string result = std::to_string(xmin) + ':' + std::to_string(xmax) + ':';
    for (std::size_t i = 0; i < xip.size(); ++i) {
        if (i > 0) result += ',';
        result += std::to_string(xip[i]);
    }
    return result;
}

static bool take_number(std::string_view &text, std::uint64_t &value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

static bool take(std::string_view &text, char c) {
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
}

std::optional<TxSnapshot> TxSnapshot::parse(std::string_view text) {
    TxSnapshot result;
    if (!take_number(text, result.xmin) || !take(text, ':') || !take_number(text, result.xmax) || !take(text, ':')) return std::nullopt;
    while (!text.empty()) {
        std::uint64_t xid = 0;
        if ((!result.xip.empty() && !take(text, ',')) || !take_number(text, xid)) return std::nullopt;
        if (xid < result.xmin || xid >= result.xmax || (!result.xip.empty() && xid <= result.xip.back())) return std::nullopt;
        result.xip.push_back(xid);
    }
    if (result.xmin > result.xmax) return std::nullopt;
    return result;
}

Ended ended_between(const TxSnapshot &before, const TxSnapshot &upto) {
    Ended ended;
    std::set_difference(before.xip.begin(), before.xip.end(), upto.xip.begin(), upto.xip.end(), std::back_inserter(ended.listed));
    ended.from = before.xmax;
    ended.to = upto.xmax;
    std::copy_if(upto.xip.begin(), upto.xip.end(), std::back_inserter(ended.still_running),
                 [&](std::uint64_t xid) { return xid >= before.xmax; });
    return ended;
}

}  // namespace pulse::dispatch
