// Content-Type: does it say JSON? `application/json; charset=utf-8`, `application/problem+json`. Pure.
#pragma once

#include <string>
#include <string_view>

namespace pulse::names {

inline bool is_json_type(std::string_view content_type) {
    content_type = content_type.substr(0, content_type.find(';'));
    while (content_type.ends_with(' ') || content_type.ends_with('\t')) content_type.remove_suffix(1);
    while (content_type.starts_with(' ') || content_type.starts_with('\t')) content_type.remove_prefix(1);
    std::string type(content_type);
    for (char &c : type)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    return type == "application/json" || type == "text/json" || (type.starts_with("application/") && type.ends_with("+json"));
}

}  // namespace pulse::names
