// One page at a time; see history_reader.hpp.
#include "db/history_reader.hpp"

#include <utility>

#include "base/log.hpp"
#include "db/event_row.hpp"

namespace bridge::db {

namespace {

constexpr int kTries = 3;  // each is lost with its connection
// After the last page of some: when thousands come back within seconds, this is what makes hundreds of them share a query. Who comes
// alone does not wait.
constexpr auto kRest = std::chrono::milliseconds(50);
constexpr std::string_view kMustRefetch = "PL410";

// `{"a","b"}`
std::string text_array(const std::vector<std::string> &values) {
    std::string out = "{";
    for (const std::string &value : values) {
        if (out.size() > 1) out += ',';
        out += '"';
        for (const char c : value) {
            if (c == '"' || c == '\\') out += '\\';
            out += c;
        }
        out += '"';
    }
    return out + "}";
}

}  // namespace

HistoryReader::HistoryReader(loop::Loop &loop, Rng &rng, Metrics &metrics, hub::Hub &hub, Options options)
    : options_(std::move(options)), history_(hub, *this, metrics, options_.history),
      connection_(loop, rng,
                  {.conninfo = options_.conninfo,
                   .application_name = "pulse-bridge history",
                   .statement_timeout = std::chrono::milliseconds(30'000),
                   .prepare = {&kHistory}},
                  {.on_up =
                       [this] {
                           log::info("history reader connected");
                           if (page_) run();
                       },
                   .on_down =
                       [this](const std::string &why) {
                           log::warn("history reader has no connection", {{"reason", why}});
                           if (page_ && !patience_->active()) {
                               patience_->once(options_.patience, [this] { fail(hub::History::Failure::unavailable); });
                           }
                       },
                   .on_notification = [](int, std::string_view, std::string_view) {}}),
      patience_(loop.timer()), rest_(loop.timer()) {}

HistoryReader::~HistoryReader() = default;

void HistoryReader::stop() {
    patience_->stop();
    rest_->stop();
    connection_.close();
    opened_ = false;
    page_.reset();
}

void HistoryReader::history(std::vector<std::string> rooms, Position after, Position up_to, int max_events) {
    page_ = Page{text_array(rooms), after, up_to, max_events};
    tries_ = 0;
    ++number_;
    if (!std::exchange(opened_, true)) connection_.open();
    if (connection_.up()) {
        run();
    } else {
        patience_->once(options_.patience, [this] { fail(hub::History::Failure::unavailable); });
    }
}

void HistoryReader::run() {
    patience_->stop();
    if (++tries_ > kTries) return fail(hub::History::Failure::unavailable);
    rows_ = 0;
    connection_.run(
        kHistory, {page_->rooms, std::to_string(page_->after.value), std::to_string(page_->up_to.value), std::to_string(page_->max_events)},
        [this, number = number_](Answer answer) {
            if (number != number_ || !page_) return;
            if (const auto *error = std::get_if<SqlError>(&answer)) {
                if (error->lost()) return;  // on_down gives it time, on_up asks again
                if (error->sqlstate == kMustRefetch) return fail(hub::History::Failure::expired);
                log::error("pulse.bridge_history failed", {{"sqlstate", error->sqlstate}, {"message", error->message}});
                return fail(hub::History::Failure::unavailable);
            }
            const bool more = rows_ >= page_->max_events;
            page_.reset();
            if (!more) rest_->once(kRest, [] {});
            history_.page_done(more);
        },
        [this, number = number_](const Rows &row) {
            if (number != number_ || !page_) return;
            ++rows_;
            std::vector<std::string> attachments;
            history_.row(event_of(row, attachments));
        });
}

void HistoryReader::fail(hub::History::Failure why) {
    patience_->stop();
    page_.reset();
    ++number_;
    history_.failed(why);
}

}  // namespace bridge::db
