// Frames of replayed events, kept while many sessions catch up with the same ones: each is encoded once for each protocol and
// namespace, and shared. A small direct-mapped table; empty again after a flush that nobody used it for.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "hub/frame.hpp"
#include "hub/session.hpp"

namespace bridge::hub {

class FrameCache {
public:
    // `room` is empty when the frame does not name it. Null when make() gives null.
    template <class Make>
    FramePtr get(Position event, Position cursor, EncodingId encoding, std::string_view room, Make &&make) {
        used_ = true;
        if (slots_.empty()) slots_.resize(kSlots);
        Slot &slot = slots_[(event.value * 31 + encoding) % kSlots];
        if (slot.frame && slot.event == event && slot.cursor == cursor && slot.encoding == encoding && slot.room == room) return slot.frame;
        FramePtr frame = make();
        if (frame && frame->size() <= kMaxFrame) slot = Slot{event, cursor, encoding, std::string(room), frame};
        return frame;
    }

    void clear() {
        slots_ = std::vector<Slot>();
        used_ = false;
    }
    void flushed() {
        if (!slots_.empty() && !std::exchange(used_, false)) clear();
    }

private:
    static constexpr std::size_t kSlots = 2048;
    static constexpr std::size_t kMaxFrame = 8192;  // so it never holds more than 16 MB
    struct Slot {
        Position event, cursor;
        EncodingId encoding = 0;
        std::string room;
        FramePtr frame;
    };
    std::vector<Slot> slots_;
    bool used_ = false;
};

}  // namespace bridge::hub
