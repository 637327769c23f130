// The members of a room, in one array. Most rooms are one user's own and have one member: that one is kept inline, so such a room
// has no array. 16 bytes, while a std::vector has 24 and 32 more on the heap.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

namespace bridge::hub {

struct Member {
    std::uint32_t session;  // index in the slab
    std::uint32_t place;    // index in that session's `rooms`
};

class Members {
public:
    Members() = default;
    Members(const Members &) = delete;
    Members &operator=(const Members &) = delete;
    Members(Members &&other) noexcept { swap(other); }
    Members &operator=(Members &&other) noexcept {
        Members gone(std::move(other));
        swap(gone);
        return *this;
    }
    ~Members() {
        if (capacity_ > 1) delete[] many_;
    }

    std::uint32_t size() const { return size_; }
    Member *data() { return capacity_ > 1 ? many_ : &one_; }
    const Member *data() const { return capacity_ > 1 ? many_ : &one_; }
    Member &operator[](std::uint32_t at) { return data()[at]; }
    std::span<const Member> span() const { return {data(), size_}; }

    void push_back(Member member) {
        if (size_ == capacity_) move_to(capacity_ == 1 ? 4 : capacity_ * 2);
        data()[size_++] = member;
    }
    // Takes the last one away, and gives memory back when most of it is unused.
    void pop_back() {
        --size_;
        if (size_ <= 1 && capacity_ > 1) {
            move_to(1);
        } else if (capacity_ > 64 && size_ * 4 < capacity_) {
            move_to(capacity_ / 2);
        }
    }

private:
    void swap(Members &other) noexcept {
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
        std::swap(many_, other.many_);  // the wider member: carries `one_` as well
    }

    void move_to(std::uint32_t capacity) {
        Member *old = data();
        Member *const heap = capacity_ > 1 ? many_ : nullptr;
        if (capacity > 1) {
            auto *fresh = new Member[capacity];
            std::copy(old, old + size_, fresh);
            many_ = fresh;
        } else {
            const Member last = size_ == 1 ? old[0] : Member{};
            one_ = last;
        }
        capacity_ = capacity;
        delete[] heap;
    }

    std::uint32_t size_ = 0;
    std::uint32_t capacity_ = 1;
    union {
        Member one_;
        Member *many_ = nullptr;
    };
    static_assert(sizeof(Member) == sizeof(Member *));
};

}  // namespace bridge::hub
