// An invariant that holds for every input. Unlike assert it stays in optimised builds.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#define CHECK(condition)                                                         \
    do {                                                                         \
        if (!(condition)) {                                                      \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            std::abort();                                                        \
        }                                                                        \
    } while (false)

inline std::string_view text(const std::uint8_t *data, std::size_t size) { return {reinterpret_cast<const char *>(data), size}; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);
