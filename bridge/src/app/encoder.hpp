// Gives the hub wire bytes: codec's frames behind hub::Encoder, so that neither knows the other.
#pragma once

#include "codec/outbound.hpp"
#include "hub/encoder.hpp"

namespace bridge::app {

class FrameEncoder final : public hub::Encoder {
public:
    explicit FrameEncoder(bool recovery) : recovery_(recovery) {}

    hub::FramePtr encode(Protocol protocol, std::string_view nsp, const hub::Event &event, std::string_view cursor,
                         std::string_view room) override {
        codec::OutEvent out;
        out.nsp = nsp;
        out.name = event.name;
        out.args = event.payload;
        out.room = room;
        // A reply is no event of the log, so it has no position; what a Socket.IO client keeps of it is where the session stands.
        if (protocol != Protocol::native || !room.empty()) out.position = cursor;
        out.offset = recovery_;
        out.attachments = event.attachments;
        return hub::make_frame(codec::event_frame(protocol, out));
    }
    bool names_room(Protocol protocol) const override { return codec::frame_names_room(protocol); }

private:
    const bool recovery_;  // Socket.IO clients are given offsets
};

}  // namespace bridge::app
