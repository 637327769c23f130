// Readiness of ten thousand sockets: one epoll set beside libuv's, which costs one epoll_ctl in a socket's life. It is edge-triggered: an
// entry is told when something became possible and has to go on until it is not any more. libuv watches the set as one descriptor.
// An entry that must not act now (it is inside a call of its user) asks for a later(). Everything on the loop's thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include <sys/epoll.h>

namespace bridge::loop {

class Loop;
class Watch;

class Poller {
public:
    enum Ready : unsigned {
        kReadable = 1,
        kWritable = 2,
        kPeerClosed = 4,  // nothing more will come; what came is still to be read
        kGone = 8,        // both directions are over, or an error
        kLater = 16,      // asked for
    };
    class Entry {
    public:
        virtual ~Entry() = default;
        virtual void ready(unsigned what) = 0;  // may destroy any entry, itself too

    private:
        friend class Poller;
        bool later_ = false;
    };
    // What nobody else keeps: an answer that still goes out after its connection was given up. Gone with the poller at the latest.
    class Orphan {
    public:
        virtual ~Orphan() = default;
    };

    explicit Poller(Loop &loop);
    ~Poller();
    Poller(const Poller &) = delete;
    Poller &operator=(const Poller &) = delete;

    bool add(int fd, Entry &entry);  // false: the kernel has no memory for it
    void remove(Entry &entry);       // no ready() from now on. Closing the descriptor, which follows, takes it out of the set.

    void later(Entry &entry);  // one ready(kLater) in the next turn

    // Is this the entry whose ready() runs? Not any more once it was removed, so an entry can ask whether it still exists.
    bool runs(const Entry *entry) const { return current_ == entry; }

    Loop &loop() { return loop_; }
    std::span<char> buffer() { return {buffer_.get(), kBuffer}; }  // for the bytes of one read, shared by all

    void adopt(std::unique_ptr<Orphan> orphan);
    void end(Orphan &orphan);  // destroys it
    void end_orphans() { orphans_.clear(); }
    std::size_t orphans() const { return orphans_.size(); }

private:
    static constexpr std::size_t kBuffer = 65'536;
    static constexpr int kEvents = 512;

    void poll();
    void run_later();
    void call(Entry *entry, unsigned what);

    Loop &loop_;
    int fd_;
    std::unique_ptr<Watch> watch_;
    std::unique_ptr<char[]> buffer_;
    std::array<epoll_event, kEvents> events_{};
    int next_ = 0, count_ = 0;  // of events_: those not handled yet
    Entry *current_ = nullptr;
    std::vector<Entry *> later_, running_;  // null: removed
    std::unordered_map<Orphan *, std::unique_ptr<Orphan>> orphans_;
};

}  // namespace bridge::loop
