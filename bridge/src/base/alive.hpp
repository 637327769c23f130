// For an object that calls somebody who may destroy it: it has an Alive as a member, makes an Alive::Guard before the call, and asks it
// afterwards. Also when the call throws nothing is left pointing to the guard.
#pragma once

namespace bridge {

class Alive {
public:
    class Guard {
    public:
        explicit Guard(Alive &owner) : owner_(&owner), outer_(owner.guard_) { owner.guard_ = this; }
        ~Guard() {
            if (owner_ != nullptr) owner_->guard_ = outer_;
        }
        Guard(const Guard &) = delete;
        Guard &operator=(const Guard &) = delete;

        explicit operator bool() const { return owner_ != nullptr; }  // it is still there

    private:
        friend class Alive;
        Alive *owner_;
        Guard *outer_;
    };

    Alive() = default;
    ~Alive() {
        for (Guard *one = guard_; one != nullptr; one = one->outer_) one->owner_ = nullptr;
    }
    Alive(const Alive &) = delete;
    Alive &operator=(const Alive &) = delete;

private:
    Guard *guard_ = nullptr;
};

}  // namespace bridge
