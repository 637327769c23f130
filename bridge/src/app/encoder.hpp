// Gives the hub wire bytes: codec's frames behind hub::Encoder, so that neither knows the other.
#pragma once

#include "base/metrics.hpp"
#include "base/scope.hpp"
#include "codec/outbound.hpp"
#include "hub/encoder.hpp"

namespace bridge::app {

class FrameEncoder final : public hub::Encoder {
public:
    explicit FrameEncoder(bool recovery, Metrics *metrics = nullptr) : recovery_(recovery), metrics_(metrics) {}

    hub::FramePtr encode(Protocol protocol, std::string_view nsp, const hub::Event &event, std::string_view cursor,
                         std::string_view room) override {
        const bool listens = protocol == Protocol::sse || protocol == Protocol::poll;
        if (listens && !wants(nsp, event.name) && event.name != R"("room:evicted")") return nullptr;
        codec::OutEvent out;
        out.nsp = nsp;
        out.name = event.name;
        out.args = event.payload;
        out.room = room;
        // A reply is no event of the log, so it has no position; what a Socket.IO client keeps of it is where the session stands.
        if (protocol != Protocol::native || !room.empty()) out.position = cursor;
        out.ephemeral = event.ephemeral;
        out.offset = recovery_;
        out.attachments = event.attachments;
        hub::FramePtr frame = hub::make_frame(codec::event_frame(protocol, out));
        if (metrics_ != nullptr && protocol == Protocol::sse) metrics_->sse_message_bytes().Observe(static_cast<double>(frame->size()));
        return frame;
    }
    bool names_room(Protocol protocol) const override { return codec::frame_names_room(protocol); }

private:
    const bool recovery_;  // Socket.IO clients are given offsets
    Metrics *const metrics_;
};

}  // namespace bridge::app
