// Whose doing an event is: the W3C traceparent of this session goes into its headers.
#pragma once

#include <string>

namespace pulse::publish {

// Adds it to a compact JSON object of headers, unless that has one, or none is set.
void add_traceparent(std::string &headers);

}  // namespace pulse::publish
