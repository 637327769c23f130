// The places of binary values in JSON: {"_placeholder":true,"num":0} stands for the first attachment. Clients take any object with
// that member for one, so each must name an attachment that is there.
// Pure: compiled into the unit tests too.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace pulse::json {

struct Placeholder {
    std::optional<std::size_t> num;  // nullopt: missing, or no plain number
    std::size_t at = 0, size = 0;    // of the number's text
};

// All of them by the place of their number, in text that is valid JSON. A repeated key counts as its last, as in JavaScript.
std::vector<Placeholder> placeholders(std::string_view json);

}  // namespace pulse::json
