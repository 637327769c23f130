// What an HTTP request said, in plain C++: read by http/connection, made from strings in tests.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bridge::http {

enum class Method { get, head, post, put, patch, del, options, other };

struct Request {
    Method method = Method::other;
    std::string path;                                          // percent-decoded, without query
    std::vector<std::pair<std::string, std::string>> query;    // percent-decoded, `+` is a space
    std::vector<std::pair<std::string, std::string>> headers;  // names in lower case, in the order they came
    std::string body;                                          // once complete
    std::string ip;
    bool http11 = true;
    bool keep_alive = true;  // what version and Connection header say together
    bool has_body = false;   // one was announced
    bool upgrade = false;    // Upgrade: websocket

    std::string_view header(std::string_view lower_case_name) const;  // empty when there is none; the first of several
    std::optional<std::string_view> param(std::string_view name) const;
    std::vector<std::string_view> params(std::string_view name) const;
    std::string_view cookie(std::string_view name) const;
    std::string bearer() const;  // the token of `Authorization: Bearer …`, else of ?token=
};

}  // namespace bridge::http
