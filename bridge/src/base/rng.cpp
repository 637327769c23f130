// Random bytes from the kernel, and public ids made of them.
#include "base/rng.hpp"

#include <algorithm>
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

void SystemRng::fill(std::span<std::byte> out) {
    while (!out.empty()) {
        const ssize_t got = getrandom(out.data(), out.size(), 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            std::terminate();
        }
        out = out.subspan(static_cast<std::size_t>(got));
    }
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
