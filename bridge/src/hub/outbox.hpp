// Frames waiting for one slow socket. Exists only while something waits; bounded in bytes by its user, who ends the connection when
// the bound is passed. Frames are shared with all other receivers, so a slow client costs pointers, not copies.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "hub/frame.hpp"

namespace bridge::hub {

class Outbox {
public:
    static constexpr std::size_t kBatch = 65536;  // bytes joined into one write

    void push(FramePtr frame) {
        bytes_ += frame->size();
        frames_.push_back(std::move(frame));
    }
    std::size_t bytes() const { return bytes_; }
    bool empty() const { return head_ == frames_.size(); }

    // The next bytes to write: one frame as it is, or several joined in `scratch` (at most kBatch). pop() takes them away.
    std::string_view batch(std::string &scratch) {
        const std::string_view first = frames_[head_]->bytes();
        batch_ = 1;
        std::size_t size = first.size();
        while (head_ + batch_ < frames_.size() && size + frames_[head_ + batch_]->size() <= kBatch) {
            size += frames_[head_ + batch_++]->size();
        }
        if (batch_ == 1) return first;
        scratch.clear();
        scratch.reserve(size);
        for (std::size_t i = 0; i < batch_; ++i) scratch.append(frames_[head_ + i]->bytes());
        return scratch;
    }
    void pop() {
        for (std::size_t i = 0; i < batch_; ++i) {
            bytes_ -= frames_[head_]->size();
            frames_[head_++].reset();
        }
        batch_ = 0;
        if (head_ * 2 > frames_.size()) {  // keeps the array's length within twice what waits
            frames_.erase(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(head_));
            head_ = 0;
        }
    }

private:
    std::vector<FramePtr> frames_;
    std::size_t head_ = 0;
    std::size_t batch_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace bridge::hub
