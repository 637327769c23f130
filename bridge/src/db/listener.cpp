// See listener.hpp for the states. Everything that goes wrong here ends in one of two places: Connection::restart or greet().
#include "db/listener.hpp"

#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/log.hpp"
#include "db/event_row.hpp"

namespace bridge::db {

namespace {

constexpr std::size_t kMaxHeldBytes = 4 * 1024 * 1024;
constexpr auto kRejectFor = std::chrono::seconds(1);
constexpr auto kReadingIsLagging = std::chrono::seconds(2);

}  // namespace

Listener::Listener(loop::Loop &loop, Rng &rng, Metrics &metrics, hub::Hub &hub, ListenerOptions options)
    : metrics_(metrics), hub_(hub), options_(std::move(options)), feed_(hub, *this, metrics),
      connection_(loop, rng,
                  {.conninfo = options_.conninfo,
                   .application_name = "pulse-bridge listener",
                   .statement_timeout = std::chrono::milliseconds(30'000),
                   .prepare = {&kHello, &kRead}},
                  {.on_up = [this] { on_up(); },
                   .on_down = [this](const std::string &why) { on_down(why); },
                   .on_notification =
                       [this](int pid, std::string_view channel, std::string_view payload) {
                           if (channel == channel_) on_notification(pid, payload);
                       }}),
      timer_(loop.timer()) {}

Listener::~Listener() = default;

void Listener::start() { connection_.open(); }

void Listener::stop() {
    timer_->stop();
    ++round_;
    state_ = State::down;
    feed_.stop();
    connection_.close();
}

void Listener::on_up() {
    last_failure_.clear();
    log::info("listener connected");
    greet();
}

void Listener::on_down(const std::string &why) {
    ++round_;
    if (state_ != State::down) {
        log::warn("listener lost its connection", {{"reason", why}, {"head", feed_.head().value}});
    } else if (why != last_failure_) {
        log::warn("listener cannot connect", {{"reason", why}});
    }
    last_failure_ = why;
    state_ = State::down;
    channel_.clear();  // LISTEN belonged to that connection
    dispatcher_pid_.reset();
    reading_since_.reset();
    held_.clear();
    held_bytes_ = 0;
    timer_->stop();
    feed_.stop();
    metrics_.database_up().Set(0);
}

// hello → LISTEN → hello. LISTEN first and ask for the position after it: whatever is committed later is notified.
void Listener::greet() {
    ++round_;
    state_ = State::greeting;
    feed_.stop();
    hello([this](const Hello &first) {
        if (first.epoch.empty() || !is_channel(first.channel)) {
            last_failure_ = "no dispatcher has run yet";
            timer_->once(options_.retry, [this] { greet(); });
            return;
        }
        if (first.channel == channel_) {  // LISTENing already, on this connection
            greeted(first);
            return;
        }
        connection_.run_text(kUnlistenAll, nullptr);
        connection_.run_text(listen(first.channel), [this, first, round = round_](Answer answer) {
            if (round != round_) return;
            if (const auto *error = std::get_if<SqlError>(&answer)) {
                connection_.restart("LISTEN failed: " + error->message);
                return;
            }
            channel_ = first.channel;
            greeted(first);
        });
    });
}

void Listener::greeted(const Hello &first) {
    hello([this, epoch = first.epoch](const Hello &second) {
        if (second.epoch != epoch || second.channel != channel_) {
            greet();
            return;
        }
        state_ = State::listening;
        metrics_.database_up().Set(1);
        log::info("listening", {{"epoch", second.epoch},
                                {"position", second.position.value},
                                {"head", feed_.head().value},
                                {"dispatcher", second.dispatcher_pid.has_value()}});
        feed_.start(second.epoch, second.position, second.past);
        learn(second);
    });
}

// Who is the dispatcher now? Asked for an unknown sender, and every few seconds as the safety check.
void Listener::ask() {
    if (state_ != State::listening) return;
    state_ = State::asking;
    hello([this](const Hello &answer) {
        if (answer.channel != channel_ || answer.epoch != feed_.epoch()) {
            greet();
            return;
        }
        state_ = State::listening;
        learn(answer);
    });
}

void Listener::learn(const Hello &answer) {
    if (dispatcher_pid_ != answer.dispatcher_pid) {
        log::info("dispatcher changed", {{"pid", answer.dispatcher_pid.value_or(0)}});
    }
    dispatcher_pid_ = answer.dispatcher_pid;
    known_head_ = answer.position;
    hub_.set_log_floor(answer.past.floor);
    const bool overflow = std::exchange(held_overflow_, false);
    const std::uint64_t round = round_;
    feed_.catch_up(answer.position);
    if (round == round_) judge_held();
    if (round != round_) return;
    schedule_check(dispatcher_pid_ && !overflow ? options_.safety_check : options_.retry);
}

void Listener::schedule_check(std::chrono::milliseconds after) {
    timer_->once(after, [this] { ask(); });
}

void Listener::on_notification(int pid, std::string_view payload) {
    const bool trusting = state_ == State::listening || (state_ == State::asking && held_.empty());
    if (trusting && pid == dispatcher_pid_) {
        feed_.notification(payload);
        return;
    }
    if (state_ == State::down) return;
    if (pid == rejected_pid_ && std::chrono::steady_clock::now() - rejected_at_ < kRejectFor) {
        metrics_.foreign_notifications().Increment();
        return;
    }
    if (held_bytes_ + payload.size() > kMaxHeldBytes) {
        held_.clear();  // their range is read from the ticks once hello has told the position
        held_bytes_ = 0;
        held_overflow_ = true;
    }
    held_.push_back(Held{pid, std::string(payload)});
    held_bytes_ += payload.size();
    ask();
}

void Listener::judge_held() {
    const auto held = std::exchange(held_, {});
    held_bytes_ = 0;
    const std::uint64_t round = round_;
    for (const Held &notification : held) {
        if (notification.pid == dispatcher_pid_) {
            feed_.notification(notification.payload);
            if (round != round_) return;  // another epoch: greeting anew
        } else {
            metrics_.foreign_notifications().Increment();
            rejected_pid_ = notification.pid;
            rejected_at_ = std::chrono::steady_clock::now();
        }
    }
}

void Listener::hello(std::function<void(const Hello &)> then) {
    const Parameter epoch = feed_.epoch().empty() ? Parameter(std::nullopt) : Parameter(feed_.epoch());
    connection_.run(kHello, {options_.bridge_name, epoch}, [this, then = std::move(then), round = round_](Answer answer) {
        if (round != round_) return;
        if (const auto *error = std::get_if<SqlError>(&answer)) {
            if (!error->lost()) connection_.restart("pulse.bridge_hello failed: " + error->message);
            return;
        }
        const Rows &rows = std::get<Rows>(answer);
        const auto tree = json::parse(rows.size() == 1 ? rows.text(0, 0) : std::string_view{});
        if (!tree || !tree->is_object()) {
            connection_.restart("pulse.bridge_hello gave no object");
            return;
        }
        const auto text = [&tree](const char *key) {
            const auto found = tree->find(key);
            return found != tree->end() && found->is_string() ? found->get<std::string>() : std::string();
        };
        const auto position = [&tree](const char *key) -> std::optional<Position> {
            const auto found = tree->find(key);
            if (found == tree->end() || !found->is_number_unsigned()) return std::nullopt;
            return Position{found->get<std::uint64_t>()};
        };
        Hello out{text("epoch"), text("channel"), std::nullopt, Position{}, {}};
        if (const auto pid = tree->find("dispatcherPid"); pid != tree->end() && pid->is_number_integer()) {
            out.dispatcher_pid = pid->get<int>();
        }
        out.position = position("position").value_or(Position{});
        if (const auto known = tree->find("epochKnown"); known != tree->end() && known->is_boolean() && !feed_.epoch().empty()) {
            out.past.known = known->get<bool>();
        }
        out.past.end = position("epochEnd");
        out.past.floor = position("floor").value_or(Position{});
        then(out);
    });
}

// ---- hub::Feed::Source

void Listener::read(Position after, Position up_to) {
    if (!reading_since_) reading_since_ = std::chrono::steady_clock::now();
    rows_read_ = 0;
    const auto round = round_;
    connection_.run(
        kRead, {std::to_string(after.value), std::to_string(up_to.value), std::to_string(options_.page)},
        [this, round](Answer answer) {
            if (round != round_) return;
            if (const auto *error = std::get_if<SqlError>(&answer)) {
                if (error->sqlstate == "PL410") {
                    greet();  // what is missing has gone: hello tells the floor
                } else if (!error->lost()) {
                    connection_.restart("pulse.bridge_read failed: " + error->message);
                }
                return;
            }
            feed_.read_done(rows_read_ >= static_cast<std::uint64_t>(options_.page));
            if (feed_.state() != hub::Feed::State::reading) reading_since_.reset();
        },
        [this, round](const Rows &row) {
            if (round == round_) take_row(row);
        });
}

void Listener::take_row(const Rows &row) {
    ++rows_read_;
    std::vector<std::string> attachments;
    feed_.row(event_of(row, attachments));
}

// Another epoch, or a payload that cannot be trusted. A pause keeps a database that stays wrong from being asked in a circle.
void Listener::restart() {
    ++round_;
    state_ = State::greeting;
    dispatcher_pid_.reset();
    timer_->once(std::chrono::milliseconds(50), [this] { greet(); });
}

Listener::Health Listener::health() const {
    Health health;
    health.connected = connection_.up();
    health.detail = last_failure_;
    health.listening = state_ == State::listening || state_ == State::asking;
    health.dispatcher = dispatcher_pid_.has_value();
    health.caught_up = health.listening && (feed_.state() == hub::Feed::State::live ||
                                            (reading_since_ && std::chrono::steady_clock::now() - *reading_since_ < kReadingIsLagging));
    health.lag_events = known_head_ > feed_.head() ? known_head_.value - feed_.head().value : 0;
    if (!health.connected) {
        health.reason = "no connection to PostgreSQL";
    } else if (!health.listening) {
        health.reason = last_failure_.empty() ? "not listening yet" : last_failure_;
    } else if (!health.dispatcher) {
        health.reason = "no dispatcher is running";
    } else if (!health.caught_up) {
        health.reason = "catching up";
    }
    return health;
}

}  // namespace bridge::db
