// Every setting in one table: name, meaning, how text becomes a field and back. load() reads flags, environment and file through it,
// print() writes it, and the documentation test compares it with docs/reference/settings.md.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace bridge::config {

struct Setting {
    enum class Form { value, list, flag };

    std::string_view name;  // of the flag and in the file; PULSE_ and upper case in the environment
    Form form;
    bool secret;            // no flag; masked by print()
    std::string_view type;  // for --help
    std::string_view help;
    Result<void> (*set)(Config &config, const std::vector<std::string> &values);
    std::vector<std::string> (*get)(const Config &config);

    std::string environment_name() const;
};

std::span<const Setting> settings();

}  // namespace bridge::config
