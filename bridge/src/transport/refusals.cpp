#include "transport/refusals.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace bridge::transport {

namespace {

constexpr std::size_t kMostUnread = 64;  // of those that are not read

http::Limits impatient(http::Limits limits) {
    limits.max_body = 0;
    limits.head_deadline = 1'000;
    limits.answers_silence = true;
    return limits;
}

}  // namespace

Refusals::Door::Door(loop::Deadlines &deadlines, const http::Cors &cors, const http::Limits &limits, net::Refusal why)
    : cors_(cors), answer_(http::error_reply(net::error(why))), connections_(deadlines, *this, cors, impatient(limits)) {
    answer_.close = true;
}

// A browser that asks whether its page may ask is told so, or the page would not learn why it is refused.
void Refusals::Door::request(http::Exchange &exchange) {
    const bool asks_first = exchange.request().method == http::Method::options && !exchange.request().header("origin").empty();
    http::Reply reply = asks_first && !cors_.origins.empty() ? cors_.preflight(exchange.request()) : answer_;
    reply.close = true;
    exchange.respond(std::move(reply));
}

Refusals::Refusals(loop::Deadlines &deadlines, const http::Cors &cors, http::Limits limits)
    : doors_{Door{deadlines, cors, limits, net::Refusal::full}, Door{deadlines, cors, limits, net::Refusal::too_many_of_ip},
             Door{deadlines, cors, limits, net::Refusal::too_fast}} {}

void Refusals::refuse(net::StreamPtr stream, net::Refusal why, std::size_t goodbyes) {
    Door &door = doors_[static_cast<std::size_t>(why)];
    if (size() + goodbyes < kMostRead) return door.add(std::move(stream));
    stream->write(http::render({}, door.answer()));
    if (goodbyes < kMostUnread) net::close_after_writing(std::move(stream));
}

std::size_t Refusals::size() const {
    return std::accumulate(doors_.begin(), doors_.end(), std::size_t{0},
                           [](std::size_t sum, const Door &door) { return sum + door.size(); });
}

}  // namespace bridge::transport
