// Wire bytes of one message, complete with their WebSocket header: built once, immutable, shared by all receivers.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace bridge::hub {

class Frame {
public:
    explicit Frame(std::string bytes) : bytes_(std::move(bytes)) {}
    std::string_view bytes() const { return bytes_; }
    std::size_t size() const { return bytes_.size(); }

private:
    std::string bytes_;
};
using FramePtr = std::shared_ptr<const Frame>;

inline FramePtr make_frame(std::string bytes) { return std::make_shared<const Frame>(std::move(bytes)); }

}  // namespace bridge::hub
