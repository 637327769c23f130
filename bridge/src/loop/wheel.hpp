// Deadlines for ten thousand connections: a hashed timer wheel with absolute deadlines in milliseconds.
// Arming, moving and cancelling are O(1) and allocate nothing: the entry lives inside its owner and unlinks
// itself when the owner dies. Pure: time comes in as a number, so tests step it. WheelTimer (below) drives one
// from the loop and sleeps until the next occupied slot: an idle process has no tick.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "loop/loop.hpp"

namespace bridge::loop {

class Wheel {
public:
    static constexpr int kSlots = 4096;             // power of two
    static constexpr std::int64_t kResolution = 8;  // ms a slot: one turn of the wheel is 32.8 s

    class Entry {
    public:
        using Fire = void (*)(Entry &);
        explicit Entry(Fire fire) : fire_(fire) {}
        ~Entry() { unlink(); }
        Entry(const Entry &) = delete;
        Entry &operator=(const Entry &) = delete;

        bool armed() const { return next_ != nullptr; }
        std::int64_t due() const { return due_; }

    private:
        friend class Wheel;
        void unlink();

        Entry *prev_ = nullptr;
        Entry *next_ = nullptr;
        std::int64_t due_ = 0;
        Fire fire_;
    };

    explicit Wheel(std::int64_t now);

    void arm(Entry &entry, std::int64_t due);  // moves it when armed already
    static void cancel(Entry &entry) { entry.unlink(); }

    // Fires everything due at or before `now`, never early. An entry may arm, cancel or destroy any entry.
    void advance(std::int64_t now);

    // When advance() should be called next, or -1 when nothing is armed. Never later than the earliest deadline
    // by more than a slot; it may be earlier (an entry more than a turn away).
    std::int64_t next() const;

    bool empty() const;

private:
    struct Slot : Entry {
        Slot();
    };
    static int slot_of(std::int64_t due) { return static_cast<int>((due / kResolution) & (kSlots - 1)); }

    std::array<Slot, kSlots> slots_;
    std::int64_t now_;
};

// What owners of entries see: arm against a clock. Tests have their own with a clock that stands still.
class Deadlines {
public:
    virtual ~Deadlines() = default;
    virtual std::int64_t now() const = 0;  // monotonic, milliseconds
    virtual void arm(Wheel::Entry &entry, std::int64_t due) = 0;
    void cancel(Wheel::Entry &entry) { Wheel::cancel(entry); }
};

// The wheel on the loop.
class WheelTimer final : public Deadlines {
public:
    explicit WheelTimer(Loop &loop);

    std::int64_t now() const override;
    void arm(Wheel::Entry &entry, std::int64_t due) override;

private:
    void schedule();

    Wheel wheel_;
    std::unique_ptr<Timer> timer_;
    std::int64_t scheduled_ = -1;
    bool advancing_ = false;
};

}  // namespace bridge::loop
