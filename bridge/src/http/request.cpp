// Look-ups in a request; see request.hpp.
#include "http/request.hpp"

#include "http/head.hpp"

namespace bridge::http {

std::string_view Request::header(std::string_view lower_case_name) const {
    for (const auto &[name, value] : headers) {
        if (name == lower_case_name) return value;
    }
    return {};
}

std::optional<std::string_view> Request::param(std::string_view name) const {
    for (const auto &[key, value] : query) {
        if (key == name) return std::string_view(value);
    }
    return std::nullopt;
}

std::vector<std::string_view> Request::params(std::string_view name) const {
    std::vector<std::string_view> out;
    for (const auto &[key, value] : query) {
        if (key == name) out.push_back(value);
    }
    return out;
}

std::string_view Request::cookie(std::string_view name) const {
    for (const auto &[header_name, value] : headers) {
        if (header_name != "cookie") continue;
        for (std::string_view left = value; !left.empty();) {
            std::string_view one = left.substr(0, left.find(';'));
            left.remove_prefix(std::min(one.size() + 1, left.size()));
            while (one.starts_with(' ')) one.remove_prefix(1);
            if (one.size() > name.size() && one.starts_with(name) && one[name.size()] == '=') {
                one.remove_prefix(name.size() + 1);
                if (one.size() >= 2 && one.front() == '"' && one.back() == '"') one = one.substr(1, one.size() - 2);
                return one;
            }
        }
    }
    return {};
}

std::string Request::bearer() const {
    constexpr std::string_view kScheme = "bearer ";
    const std::string_view authorization = header("authorization");
    if (authorization.size() > kScheme.size() && same_word(authorization.substr(0, kScheme.size()), kScheme)) {
        return std::string(authorization.substr(kScheme.size()));
    }
    return std::string(param("token").value_or(""));
}

}  // namespace bridge::http
