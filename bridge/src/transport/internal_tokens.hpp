// The secrets of machines inside, any number so that one can follow another without a gap. None: nobody has one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "auth/jwt.hpp"

namespace bridge::transport {

class InternalTokens {
public:
    explicit InternalTokens(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {}
    void replace(std::vector<std::string> tokens) { tokens_ = std::move(tokens); }

    // Compares with all of them, whichever it is.
    bool know(std::string_view token) const {
        bool known = false;
        for (const std::string &one : tokens_) known |= auth::constant_time_equal(token, one);
        return known && !token.empty();
    }

private:
    std::vector<std::string> tokens_;
};

}  // namespace bridge::transport
