#include "transport/poll.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/scope.hpp"

namespace bridge::transport {

namespace {

constexpr codec::poll::Limits kLimits{};
constexpr std::int64_t kDefaultWait = 25, kLongestWait = 60;  // s

Result<std::int64_t> wait_of(const http::Request &request) {
    const auto text = request.param("timeout");
    if (!text) return kDefaultWait;
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
    if (error != std::errc() || end != text->data() + text->size() || seconds < 0 || seconds > kLongestWait) {
        return Error{Errc::invalid, "timeout is a number of seconds from 0 to " + std::to_string(kLongestWait)};
    }
    return seconds;
}

}  // namespace

Poll::Alarm::Alarm(Poll &poll) : Entry([](Entry &entry) { static_cast<Alarm &>(entry).owner.fire(); }), owner(poll) {}

Poll::Poll(Polls &all, http::Exchange &exchange, bool has_cursor, std::int64_t until)
    : all_(all), exchange_(&exchange), until_(until), has_cursor_(has_cursor), alarm_(*this),
      subscriber_(all.services_, *this, Protocol::poll, true) {
    exchange.watch(*this);
    keep_little(exchange.request());
    subscriber_.open(*this);
}

Poll::~Poll() {
    if (counted_) all_.services_.metrics.polls_waiting().Decrement();
    if (exchange_ != nullptr) exchange_->unwatch();
    subscriber_.stop("answered");
    subscriber_.closed();
}

void Poll::complete(http::Exchange &) {}

void Poll::gone(http::Exchange &) {
    exchange_ = nullptr;
    all_.polls_.remove(*this);
}

void Poll::answer(http::Reply reply) {
    http::Exchange *exchange = std::exchange(exchange_, nullptr);
    if (exchange == nullptr) return;
    all_.services_.deadlines.cancel(alarm_);
    subscriber_.stop("answered");
    exchange->unwatch();
    reply.headers.emplace_back("Cache-Control", "no-store");
    exchange->respond(std::move(reply));
    all_.polls_.remove_soon(*this);
}

void Poll::refused(const Error &error, std::string_view correlation_id) { answer(failure(error, correlation_id)); }

bool Poll::granted(const handlers::Grant &grant) {
    if (grant.seen) return true;
    http::Reply reply;
    const std::string cursor = grant.position.text();
    if (!has_cursor_) {
        reply.body = codec::poll::answer({}, cursor).body;
    } else if (grant.must_refetch == "forbidden") {  // a 410 would be followed by a 410
        reply = failure(Error{Errc::forbidden, "long-polling takes the right to read the history of each room",
                              "it needs a policy for the operation history, as for join"},
                        grant.correlation_id);
    } else {
        reply.status = info(Errc::must_refetch).http_status;
        reply.body = codec::poll::must_refetch(grant.must_refetch, cursor);
    }
    answer(std::move(reply));
    return false;
}

// All that was missed is with the hub's turn or here already; what is in the turn is written in its flush.
void Poll::live() {
    counted_ = true;
    all_.services_.metrics.polls_waiting().Increment();
    all_.services_.deadlines.arm(alarm_, lines_.empty() ? until_ : all_.services_.deadlines.now());
}

hub::Sink::Write Poll::write(std::string_view bytes) {
    if (exchange_ == nullptr) return Write::taken;  // answered: its cursor is before them
    lines_.append(bytes);
    events_ += static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), '\n'));
    if (subscriber_.is_live()) {
        give(subscriber_.cursor());
    } else if (events_ >= kLimits.events || lines_.size() >= kLimits.bytes) {
        give({});
    }
    return Write::taken;
}

std::string_view Poll::last() const {
    if (lines_.empty()) return {};
    const std::size_t before = lines_.rfind('\n', lines_.size() - 2);
    const std::string_view line = std::string_view(lines_).substr(before == std::string::npos ? 0 : before + 1);
    return line.substr(0, line.find(' '));
}

void Poll::give(std::string_view stands_at) {
    // In the middle of a large turn the hub's head is still before what it has sent: that would be given twice.
    const auto head = Cursor::parse(stands_at), given = Cursor::parse(last());
    const bool beyond = head && given && head->position > given->position;
    http::Reply reply;
    reply.body = codec::poll::answer(lines_, beyond ? stands_at : last(), kLimits).body;
    answer(std::move(reply));
}

void Poll::nothing(const std::string &cursor) {
    http::Reply reply;
    reply.status = 204;
    if (!cursor.empty()) reply.headers.emplace_back("Pulse-Cursor", cursor);
    answer(std::move(reply));
}

void Poll::fire() {
    // What is on its way in this turn of the loop is before the cursor, so it is waited for.
    if (!subscriber_.drained()) return all_.services_.deadlines.arm(alarm_, all_.services_.deadlines.now() + 1);
    if (lines_.empty()) return nothing(subscriber_.cursor());
    give(subscriber_.cursor());
}

hub::FramePtr Poll::farewell(const Error &error) {
    ends_with_ = std::make_unique<Error>(error);
    return nullptr;
}

void Poll::close(Errc why) {
    if (!lines_.empty()) return give({});
    if (why == Errc::shutting_down) return nothing({});  // the cursor that it came with is as good
    if (ends_with_) return answer(failure(*ends_with_));
    if (why == Errc::must_refetch) {
        http::Reply reply;
        reply.status = info(why).http_status;
        reply.body = codec::poll::must_refetch("unknown", all_.services_.hub.cursor().text());
        return answer(std::move(reply));
    }
    answer(failure(Error{why}));
}

void Polls::request(http::Exchange &exchange) {
    const http::Request &request = exchange.request();
    if (draining_) return exchange.respond(failure(shutting_down()));
    if (request.method != http::Method::get || request.has_body) {
        http::Reply reply = http::error_reply(405, "bad_request", "a long-poll is a GET without a body");
        reply.headers.emplace_back("Allow", "GET, OPTIONS");
        return exchange.respond(std::move(reply));
    }
    if (key_waits_.hold(exchange, token_of(request), [this](http::Exchange &waited) { admit(waited); })) return;
    admit(exchange);
}

void Polls::admit(http::Exchange &exchange) {
    const http::Request &request = exchange.request();
    if (draining_) return exchange.respond(failure(shutting_down()));
    auto listening = read_listening(request);
    if (!listening) return exchange.respond(failure(listening.error()));
    const auto wait = wait_of(request);
    if (!wait) return exchange.respond(failure(wait.error()));
    auto claims = handlers::authenticate(services_, token_of(request));
    if (!claims) return exchange.respond(failure(claims.error()));
    std::string cursor(request.param("cursor").value_or(""));
    const bool has_cursor = !cursor.empty();
    auto gate =
        std::make_unique<handlers::RoomGate>(services_, std::move(*claims), asker(request, "poll"),
                                             scope("/poll", std::move(listening->events)), std::move(listening->rooms), std::move(cursor));
    const std::int64_t until = services_.deadlines.now() + *wait * 1'000;
    polls_.add(std::make_unique<Poll>(*this, exchange, has_cursor, until)).subscriber().start(std::move(gate));
}

}  // namespace bridge::transport
