// The transaction callbacks. They run after the transaction left the proc array: a dispatcher that empties the queue before it takes its
// snapshot sees the durable events of all transactions whose ephemeral ones it has, and can send those first.
#include "ephemeral/outbox.hpp"

#include "ephemeral/memory.hpp"
#include "guc.hpp"

#include <deque>

namespace pulse::ephemeral {

namespace {

struct Item {
    SubTransactionId subtransaction;
    std::optional<Throttle> throttle;
    std::string record;
};

struct Outbox {
    std::deque<Item> items;  // in the order of publishing: those of a subtransaction, and of its own, are the last ones while it is open
    std::size_t bytes = 0;
    std::uint64_t too_many = 0;
    bool empty() const { return items.empty() && too_many == 0; }
    void clear() {
        items.clear();
        bytes = too_many = 0;
    }
};

Outbox &outbox() {
    static auto *instance = new Outbox;  // never destroyed: hooks may run until the process ends
    return *instance;
}

// Copies at most this much under the lock in one go.
constexpr std::size_t kSlice = 16384;

void hand_over() {
    Outbox &out = outbox();
    std::uint64_t wake = 0;  // databases, a bit each
    for (std::size_t done = 0; done < out.items.size();) {
        const std::int64_t time = now();
        Locked memory;
        for (std::size_t copied = 0; done < out.items.size() && copied < kSlice; ++done) {
            const Item &item = out.items[done];
            copied += item.record.size();
            Index record = memory.ring.make(item.record);
            if (record == kNone && item.throttle && memory.throttles.discard(item.throttle->key)) record = memory.ring.make(item.record);
            if (record == kNone) {
                ++memory.ring.queue(memory.mine).dropped;
            } else if (!item.throttle) {
                memory.ring.push(memory.mine, record, time);
                wake |= std::uint64_t{1} << memory.mine;
            } else {
                const auto offered = memory.throttles.offer(item.throttle->key, memory.mine, record, time, item.throttle->interval);
                if (offered != Throttles::Offered::replaced) wake |= std::uint64_t{1} << memory.mine;
            }
        }
        wake |= memory.throttles.take_early();
    }
    if (out.too_many > 0) {
        Locked memory;
        memory.ring.queue(memory.mine).dropped += out.too_many;
    }
    out.clear();
    wake_dispatchers(wake);
}

void drop() {
    Outbox &out = outbox();
    {
        Locked memory;
        memory.ring.queue(memory.mine).dropped += out.items.size() + out.too_many;
    }
    out.clear();
}

void on_xact(XactEvent event, void *) {
    if (outbox().empty()) return;
    pg::callback("handing over ephemeral events", [=] {
        if (event == XACT_EVENT_COMMIT) hand_over();
        if (event == XACT_EVENT_PREPARE) drop();
        if (event == XACT_EVENT_ABORT) outbox().clear();
    });
}

void on_subxact(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *) {
    if (outbox().items.empty() || (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB)) return;
    pg::callback("ephemeral events of a subtransaction", [=] {
        Outbox &out = outbox();
        if (event == SUBXACT_EVENT_COMMIT_SUB) {
            for (auto item = out.items.rbegin(); item != out.items.rend() && item->subtransaction >= mine; ++item)
                item->subtransaction = parent;
        } else {
            while (!out.items.empty() && out.items.back().subtransaction >= mine) {
                out.bytes -= out.items.back().record.size();
                out.items.pop_back();
            }
        }
    });
}

}  // namespace

void add(std::string record, const std::optional<Throttle> &throttle) {
    Outbox &out = outbox();
    // More than all the memory there is would push these out anyway.
    for (; !out.items.empty() && out.bytes + record.size() > static_cast<std::size_t>(guc::ephemeral_memory) * 1024; ++out.too_many) {
        out.bytes -= out.items.front().record.size();
        out.items.pop_front();
    }
    out.bytes += record.size();
    out.items.push_back({GetCurrentSubTransactionId(), throttle, std::move(record)});
}

void init_outbox() {
    RegisterXactCallback(on_xact, nullptr);
    RegisterSubXactCallback(on_subxact, nullptr);
}

}  // namespace pulse::ephemeral
