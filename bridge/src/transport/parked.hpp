// Owns the connections of one kind. One that is over is destroyed a moment later, when no call of it or of the hub is under way.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "loop/wheel.hpp"

namespace bridge::transport {

// T has `std::size_t place`, `bool over` and a destructor that leaves the hub.
template <class T>
class Parked {
public:
    explicit Parked(loop::Deadlines &deadlines) : deadlines_(deadlines), alarm_(*this) {}

    T &add(std::unique_ptr<T> one) {
        one->place = all_.size();
        all_.push_back(std::move(one));
        return *all_.back();
    }
    void remove(T &one) {
        const std::size_t place = one.place;
        const std::unique_ptr<T> gone = std::move(all_[place]);
        if (place + 1 < all_.size()) {
            all_[place] = std::move(all_.back());
            all_[place]->place = place;
        }
        all_.pop_back();
        if (gone->over) std::erase(over_, gone.get());
    }
    void remove_soon(T &one) {
        if (std::exchange(one.over, true)) return;
        over_.push_back(&one);
        if (over_.size() == 1) deadlines_.arm(alarm_, deadlines_.now());
    }
    std::size_t size() const { return all_.size(); }

private:
    void sweep() {
        std::vector<T *> over;
        over.swap(over_);
        for (T *one : over) {
            one->over = false;
            remove(*one);
        }
    }
    struct Alarm : loop::Wheel::Entry {
        explicit Alarm(Parked &parked) : Entry([](Entry &entry) { static_cast<Alarm &>(entry).owner.sweep(); }), owner(parked) {}
        Parked &owner;
    };

    loop::Deadlines &deadlines_;
    std::vector<std::unique_ptr<T>> all_;
    std::vector<T *> over_;
    Alarm alarm_;
};

}  // namespace bridge::transport
