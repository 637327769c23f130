// W3C trace context: `00-<32 hex>-<16 hex>-<2 hex>`, in small letters, neither id all zeros. Later versions may have more behind it.
// What clients send is passed on when it has this form, and ignored otherwise.
#pragma once

#include <string>
#include <string_view>

namespace bridge {

constexpr bool is_traceparent(std::string_view text) {
    constexpr std::size_t kSize = 55, kMost = 255;
    const auto hex = [&](std::size_t from, std::size_t size) {
        return text.substr(from, size).find_first_not_of("0123456789abcdef") == std::string_view::npos;
    };
    const auto zeros = [&](std::size_t from, std::size_t size) {
        return text.substr(from, size).find_first_not_of('0') == std::string_view::npos;
    };
    if (text.size() < kSize || text.size() > kMost || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
    if (!hex(0, 2) || !hex(3, 32) || !hex(36, 16) || !hex(53, 2) || zeros(3, 32) || zeros(36, 16) || text.starts_with("ff")) return false;
    if (text.size() == kSize) return true;
    constexpr std::string_view kRest = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.";
    return !text.starts_with("00") && text[kSize] == '-' && text.find_first_not_of(kRest) == std::string_view::npos;
}

// Its second part, which is the same for everything that one request caused; empty when it is none.
constexpr std::string_view trace_id(std::string_view traceparent) {
    return is_traceparent(traceparent) ? traceparent.substr(3, 32) : std::string_view{};
}

// What logs say of a call: its own id, and the traceparent of whoever caused it. Either may be empty.
struct Trace {
    std::string correlation_id, traceparent;
};

}  // namespace bridge
