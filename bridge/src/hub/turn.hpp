// What one loop turn wants to send: a journal of (lane, frame), chained by lane. A lane is a connection's index. Pushing costs two
// stores into arrays that live on from turn to turn: no allocation and no reference count a receiver. Frames are held once a turn.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "hub/frame.hpp"

namespace bridge::hub {

class Turn {
public:
    using Lane = std::uint32_t;
    using FrameIndex = std::uint32_t;

    // Lanes up to `count` may be used from now on.
    void grow(std::size_t count) {
        if (lanes_.size() < count) lanes_.resize(count);
    }

    FrameIndex hold(FramePtr frame) {
        frames_.push_back(std::move(frame));
        return static_cast<FrameIndex>(frames_.size() - 1);
    }
    const FramePtr &frame(FrameIndex index) const { return frames_[index]; }

    void push(Lane lane, FrameIndex frame) {
        const auto entry = static_cast<std::uint32_t>(entries_.size());
        entries_.push_back({frame, kEnd});
        Chain &chain = lanes_[lane];
        if (chain.first == kEnd) {
            chain.first = entry;
            dirty_.push_back(lane);
        } else {
            entries_[chain.last].next = entry;
        }
        chain.last = entry;
    }

    // Forget what this lane was to send.
    void drop(Lane lane) { lanes_[lane].first = kEnd; }

    bool pending(Lane lane) const { return lanes_[lane].first != kEnd; }

    std::size_t size() const { return entries_.size(); }
    bool shares_writes() const { return entries_.size() > dirty_.size(); }  // some lane has more than one frame
    bool empty() const { return entries_.empty(); }

    // f(lane, frames in order) for each lane with something to send; then everything is forgotten. f must not push.
    // soon(lane) is called for a few lanes together before f is called for each of them: with thousands of receivers nothing of
    // a lane is in the caches, and what several lanes need can be on its way at the same time.
    template <class Soon, class F>
    void drain(Soon &&soon, F &&f) {
        for (std::size_t i = 0; i < dirty_.size(); ++i) {
            if (i % kTogether == 0) {
                for (std::size_t ahead = i; ahead < std::min(i + kTogether, dirty_.size()); ++ahead) {
                    if (lanes_[dirty_[ahead]].first != kEnd) soon(dirty_[ahead]);
                }
            }
            const Lane lane = dirty_[i];
            std::uint32_t entry = lanes_[lane].first;
            if (entry == kEnd) continue;  // dropped, or its lane was dropped and used anew: then it is in the list twice
            lanes_[lane].first = kEnd;
            sequence_.clear();
            for (; entry != kEnd; entry = entries_[entry].next) sequence_.push_back(entries_[entry].frame);
            f(lane, std::span<const FrameIndex>(sequence_));
        }
        dirty_.clear();
        entries_.clear();
        frames_.clear();
        if (entries_.capacity() > kKeep) entries_.shrink_to_fit();
    }

private:
    static constexpr std::uint32_t kEnd = UINT32_MAX;
    static constexpr std::size_t kTogether = 8;
    static constexpr std::size_t kKeep = 1U << 20;
    struct Entry {
        FrameIndex frame;
        std::uint32_t next;
    };
    struct Chain {
        std::uint32_t first = kEnd;
        std::uint32_t last = kEnd;
    };
    std::vector<Entry> entries_;
    std::vector<Chain> lanes_;
    std::vector<Lane> dirty_;
    std::vector<FramePtr> frames_;
    std::vector<FrameIndex> sequence_;
};

}  // namespace bridge::hub
