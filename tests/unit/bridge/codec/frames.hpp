// Takes complete server frames apart again, so that tests see messages: 't' + text or 'b' + bytes for each.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace bridge::codec::test {

inline std::vector<std::string> frames(std::string_view bytes) {
    std::vector<std::string> found;
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
    while (!bytes.empty()) {
        if (bytes.size() < 2 || (byte(0) != 0x81 && byte(0) != 0x82)) {
            ADD_FAILURE() << "not a final text or binary frame";
            return found;
        }
        std::size_t header = 2, size = byte(1);
        if (size == 126) {
            header = 4;
            size = byte(2) << 8 | byte(3);
            EXPECT_GE(size, 126U);
        } else if (size == 127) {
            header = 10;
            size = 0;
            for (std::size_t i = 2; i < 10; ++i) size = size << 8 | byte(i);
            EXPECT_GT(size, 0xffffU);
        }
        if (size > 1U << 30 || bytes.size() < header + size) {
            ADD_FAILURE() << "frame is cut short or masked";
            return found;
        }
        found.push_back((byte(0) == 0x81 ? "t" : "b") + std::string(bytes.substr(header, size)));
        bytes.remove_prefix(header + size);
    }
    return found;
}

}  // namespace bridge::codec::test
