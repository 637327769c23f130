// What to do about a failure that `check` found: PostgreSQL's own words and what usually helps against them. Pure.
#pragma once

#include <string_view>

namespace bridge::app {

// Empty when nothing is known about it, which is so for messages in another language than English too.
std::string_view hint_for(std::string_view failure);

}  // namespace bridge::app
