// Randomness as an interface: unguessable ids in production, a counted sequence in tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/ids.hpp"

namespace bridge {

class Rng {
public:
    virtual ~Rng() = default;
    virtual void fill(std::span<std::byte> out) = 0;
    PublicId id();  // 120 bits, URL-safe
};

// getrandom(2). The kernel failing to give random bytes is a broken invariant: the process ends.
class SystemRng final : public Rng {
public:
    void fill(std::span<std::byte> out) override;
};

class FakeRng final : public Rng {
public:
    explicit FakeRng(std::uint64_t seed = 1) : state_(seed) {}
    void fill(std::span<std::byte> out) override;

private:
    std::uint64_t state_;
};

}  // namespace bridge
