// The feed's end of a measurement: a listening socket on which the load client sends ready NOTIFY payloads, each ended by a NUL byte.
// They are handed on as they come; what libpq would do with them is not part of what is measured.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "loop/loop.hpp"

namespace bench {

class Control {
public:
    using OnPayload = std::function<void(std::string_view)>;

    // Throws when the port cannot be had.
    Control(bridge::loop::Loop &loop, std::uint16_t port, OnPayload on_payload);
    ~Control();
    Control(const Control &) = delete;
    Control &operator=(const Control &) = delete;

private:
    void accept_one();
    void read_some();
    void hang_up();

    bridge::loop::Loop &loop_;
    OnPayload on_payload_;
    int listening_ = -1, fd_ = -1;
    std::string partial_;
    std::unique_ptr<bridge::loop::Watch> accepting_, reading_;
};

}  // namespace bench
