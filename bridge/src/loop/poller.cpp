// See poller.hpp.
#include "loop/poller.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "loop/loop.hpp"

namespace bridge::loop {

Poller::Poller(Loop &loop) : loop_(loop), fd_(epoll_create1(EPOLL_CLOEXEC)), buffer_(new char[kBuffer]) {
    if (fd_ < 0) throw std::runtime_error(std::string("epoll_create1: ") + std::strerror(errno));
    watch_ = loop.watch(fd_, [this](unsigned) { poll(); });
    watch_->want(loop::kReadable);
}

Poller::~Poller() {
    orphans_.clear();
    watch_.reset();
    ::close(fd_);
}

bool Poller::add(int fd, Entry &entry) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = &entry;
    return epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::remove(Entry &entry) {
    if (current_ == &entry) current_ = nullptr;
    for (int n = next_; n < count_; ++n) {
        if (events_[static_cast<std::size_t>(n)].data.ptr == &entry) events_[static_cast<std::size_t>(n)].data.ptr = nullptr;
    }
    if (!entry.later_) return;
    entry.later_ = false;
    for (auto *list : {&later_, &running_}) std::replace(list->begin(), list->end(), &entry, static_cast<Entry *>(nullptr));
}

void Poller::later(Entry &entry) {
    if (entry.later_) return;
    entry.later_ = true;
    if (later_.empty()) loop_.post([this] { run_later(); });
    later_.push_back(&entry);
}

void Poller::call(Entry *entry, unsigned what) {
    current_ = entry;
    entry->ready(what);
    current_ = nullptr;
}

void Poller::run_later() {
    running_.swap(later_);
    for (std::size_t n = 0; n < running_.size(); ++n) {
        Entry *entry = std::exchange(running_[n], nullptr);
        if (entry == nullptr) continue;
        entry->later_ = false;
        call(entry, kLater);
    }
    running_.clear();
}

void Poller::poll() {
    count_ = epoll_wait(fd_, events_.data(), kEvents, 0);
    for (next_ = 0; next_ < count_;) {
        const epoll_event &event = events_[static_cast<std::size_t>(next_++)];
        if (event.data.ptr == nullptr) continue;
        const unsigned what = ((event.events & EPOLLIN) != 0 ? kReadable : 0U) | ((event.events & EPOLLOUT) != 0 ? kWritable : 0U) |
                              ((event.events & EPOLLRDHUP) != 0 ? kPeerClosed : 0U) |
                              ((event.events & (EPOLLERR | EPOLLHUP)) != 0 ? kGone : 0U);
        call(static_cast<Entry *>(event.data.ptr), what);
    }
    next_ = count_ = 0;
}

void Poller::adopt(std::unique_ptr<Orphan> orphan) {
    Orphan *key = orphan.get();
    orphans_.emplace(key, std::move(orphan));
}

void Poller::end(Orphan &orphan) { orphans_.erase(&orphan); }

}  // namespace bridge::loop
