// The timer wheel: a ring of doubly linked lists with a sentinel each. Called by transport for every connection.
#include "loop/wheel.hpp"

#include <uv.h>

#include <algorithm>

namespace bridge::loop {

void Wheel::Entry::unlink() {
    if (next_ == nullptr) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    prev_ = next_ = nullptr;
}

Wheel::Slot::Slot() : Entry(nullptr) { prev_ = next_ = this; }

Wheel::Wheel(std::int64_t now) : now_(now) {}

void Wheel::arm(Entry &entry, std::int64_t due) {
    entry.unlink();
    entry.due_ = std::max(due, now_);
    // A slot is looked at once it is wholly past, so nothing fires early: round the deadline up.
    Slot &slot = slots_[static_cast<std::size_t>(slot_of(entry.due_ + kResolution - 1))];
    entry.prev_ = slot.prev_;
    entry.next_ = &slot;
    slot.prev_->next_ = &entry;
    slot.prev_ = &entry;
}

void Wheel::advance(std::int64_t now) {
    if (now < now_) return;
    const std::int64_t first = now_ / kResolution;
    const std::int64_t last = std::min(now / kResolution, first + kSlots - 1);
    now_ = now;
    for (std::int64_t tick = first; tick <= last; ++tick) {
        Slot &slot = slots_[static_cast<std::size_t>(tick & (kSlots - 1))];
        // Move the slot's list aside: what callbacks arm anew must not be visited in this pass.
        if (slot.next_ == &slot) continue;
        Slot due;
        due.next_ = slot.next_;
        due.prev_ = slot.prev_;
        due.next_->prev_ = &due;
        due.prev_->next_ = &due;
        slot.next_ = slot.prev_ = &slot;
        while (due.next_ != &due) {
            Entry &entry = *due.next_;
            entry.unlink();
            if (entry.due_ <= now) {
                entry.fire_(entry);
            } else {
                arm(entry, entry.due_);  // a later turn of the wheel
            }
        }
        due.next_ = due.prev_ = nullptr;  // a stack sentinel unlinks nothing
    }
}

std::int64_t Wheel::next() const {
    const std::int64_t first = now_ / kResolution;
    for (std::int64_t tick = first; tick < first + kSlots; ++tick) {
        const Slot &slot = slots_[static_cast<std::size_t>(tick & (kSlots - 1))];
        if (slot.next_ != &slot) return std::max(tick * kResolution, now_);
    }
    return -1;
}

bool Wheel::empty() const { return next() < 0; }

namespace {
std::int64_t monotonic() { return static_cast<std::int64_t>(uv_hrtime() / 1000000); }
}  // namespace

WheelTimer::WheelTimer(Loop &loop) : wheel_(monotonic()), timer_(loop.timer()) {}

std::int64_t WheelTimer::now() const { return monotonic(); }

void WheelTimer::arm(Wheel::Entry &entry, std::int64_t due) {
    wheel_.arm(entry, due);
    if (advancing_) return;  // scheduled once, at the end of the pass
    if (scheduled_ < 0 || due < scheduled_) schedule();
}

void WheelTimer::schedule() {
    const std::int64_t next = wheel_.next();
    scheduled_ = next;
    if (next < 0) {
        timer_->stop();
        return;
    }
    timer_->once(std::chrono::milliseconds(std::max<std::int64_t>(next - now(), 1)), [this] {
        scheduled_ = -1;
        advancing_ = true;
        wheel_.advance(now());
        advancing_ = false;
        schedule();
    });
}

}  // namespace bridge::loop
