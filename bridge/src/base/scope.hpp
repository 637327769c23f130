// What stands in the place of a namespace for those who listen over plain HTTP: a label for metrics, and the names of the events that
// they want. Sessions with the same scope share each encoded frame, as those of a namespace do.
// Form: the label, then each name after a newline. No name and no namespace holds one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bridge {

// Names in any order, also more than once; none at all: every event.
std::string scope(std::string_view label, std::vector<std::string> events);

// A namespace is its own label.
constexpr std::string_view label(std::string_view scope) { return scope.substr(0, scope.find('\n')); }

// `event`: the name as a JSON string with its quotes.
bool wants(std::string_view scope, std::string_view event);

}  // namespace bridge
