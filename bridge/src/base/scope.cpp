#include "base/scope.hpp"

#include <algorithm>

#include "base/json.hpp"

namespace bridge {

std::string scope(std::string_view label, std::vector<std::string> events) {
    std::sort(events.begin(), events.end());
    events.erase(std::unique(events.begin(), events.end()), events.end());
    std::string out(label);
    for (const std::string &event : events) out.append(1, '\n').append(event);
    return out;
}

bool wants(std::string_view scope, std::string_view event) {
    std::size_t at = scope.find('\n');
    if (at == std::string_view::npos) return true;
    std::string decoded;
    if (event.find('\\') != std::string_view::npos) {
        const auto text = json::unquote(event);
        if (!text) return false;
        decoded = *text;
        event = decoded;
    } else {
        event = event.substr(1, event.size() - 2);
    }
    while (at != std::string_view::npos) {
        const std::size_t end = scope.find('\n', at + 1);
        if (scope.substr(at + 1, end == std::string_view::npos ? end : end - at - 1) == event) return true;
        at = end;
    }
    return false;
}

}  // namespace bridge
