// Reads pages of missed events for hub::History on a connection of its own, so that they never hold up the live stream. The connection
// is made when it is first needed. A page that was cut by a lost connection is asked for again, as long as its patience lasts.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/metrics.hpp"
#include "base/rng.hpp"
#include "db/connection.hpp"
#include "hub/history.hpp"
#include "hub/hub.hpp"
#include "loop/loop.hpp"

namespace bridge::db {

class HistoryReader final : public hub::History::Source {
public:
    struct Options {
        std::string conninfo;
        hub::HistoryOptions history;
        std::chrono::milliseconds patience{5'000};  // for a page, while PostgreSQL is away
    };

    HistoryReader(loop::Loop &loop, Rng &rng, Metrics &metrics, hub::Hub &hub, Options options);
    ~HistoryReader() override;

    void stop();
    hub::History &history() { return history_; }

    // History::Source
    void history(std::vector<std::string> rooms, Position after, Position up_to, int max_events) override;
    bool resting() const override { return rest_->active(); }

private:
    struct Page {
        std::string rooms;  // text[] as text
        Position after, up_to;
        int max_events;
    };

    void run();
    void fail(hub::History::Failure why);

    Options options_;
    hub::History history_;
    Connection connection_;
    std::unique_ptr<loop::Timer> patience_;
    std::unique_ptr<loop::Timer> rest_;
    bool opened_ = false;
    std::optional<Page> page_;  // asked for and not answered
    std::uint64_t number_ = 0;  // of the page: late answers to an older one are ignored
    int rows_ = 0;
    int tries_ = 0;
};

}  // namespace bridge::db
