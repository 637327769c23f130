// Random bytes from the kernel, and public ids made of them.
#include "base/rng.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>

#include <sys/random.h>

#include "base/base64.hpp"

namespace bridge {

PublicId Rng::id() {
    std::array<std::byte, 15> bytes;  // 15 bytes are exactly 20 characters
    fill(bytes);
    const std::string text = base64::encode_url({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
    PublicId id;
    std::copy(text.begin(), text.end(), id.chars.begin());
    return id;
}

namespace {

void ask_kernel(std::span<std::byte> out) {
    while (!out.empty()) {
        const ssize_t got = getrandom(out.data(), out.size(), 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            std::terminate();
        }
        out = out.subspan(static_cast<std::size_t>(got));
    }
}

struct Pool {
    std::array<std::byte, 1024> bytes{};
    std::size_t left = 0;  // of bytes, at its end, not given yet
};

}  // namespace

// A client that connects takes several ids, and the kernel's price is by call. What is given is wiped here.
void SystemRng::fill(std::span<std::byte> out) {
    thread_local Pool pool;
    if (out.size() > pool.bytes.size()) return ask_kernel(out);
    if (pool.left < out.size()) {
        ask_kernel(pool.bytes);
        pool.left = pool.bytes.size();
    }
    const auto from = std::span(pool.bytes).last(pool.left).first(out.size());
    std::copy(from.begin(), from.end(), out.begin());
    std::fill(from.begin(), from.end(), std::byte{0});
    pool.left -= out.size();
}

void FakeRng::fill(std::span<std::byte> out) {  // splitmix64: every seed gives other ids, the same each run
    for (std::byte &byte : out) {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        byte = static_cast<std::byte>(z >> 56);
    }
}

}  // namespace bridge
