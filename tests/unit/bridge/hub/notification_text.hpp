// Notifications as the dispatcher writes them.
#pragma once

#include <cstdint>
#include <string>

namespace bridge::hub::test {

inline constexpr const char *kEpoch = "00000000000000e1";

inline std::string line(std::uint64_t position, const std::string &rooms = R"(["a"])", const std::string &payload = "1") {
    return std::to_string(position) + "\t" + std::to_string(position + 1000) + "\t" + rooms + "\t\"e\"\t{}\t" + payload;
}
inline std::string header(std::uint64_t first, std::uint64_t last, const std::string &epoch = kEpoch) {
    return epoch + " " + std::to_string(first) + " " + std::to_string(last) + " 7";
}
// Each event's payload is its position.
inline std::string notify(std::uint64_t first, std::uint64_t last) {
    std::string out = header(first, last);
    for (std::uint64_t p = first; p <= last; ++p) out += "\n" + line(p, R"(["a"])", std::to_string(p));
    return out;
}

}  // namespace bridge::hub::test
