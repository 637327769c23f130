#include "base/siphash.hpp"

#include <span>

#include "base/rng.hpp"

namespace bridge {

const SipKey &process_sip_key() {
    static const SipKey key = [] {
        SipKey fresh{};
        SystemRng().fill(std::as_writable_bytes(std::span(fresh)));
        return fresh;
    }();
    return key;
}

}  // namespace bridge
