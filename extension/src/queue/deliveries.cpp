// From attempt to request to outcome.
#include "queue/deliveries.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>

#include "pg/pure.hpp"

namespace pulse::queue {

namespace {

constexpr long kTokenWithin = 15'000;  // ms, for the answer to a grant

std::int64_t wall() { return std::time(nullptr); }

std::int64_t monotonic_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

void Deliveries::configure(Channels channels) {
    channels_ = std::move(channels);
    http_.configure(channels_.ca_file, channels_.webhook_allow);
    http_.limit(channels_.most_connections);
    if (channels_.fcm_account)
        token_.use(*channels_.fcm_account, channels_.oauth_url);
    else
        token_.forget_account();
    // Who waits for another account's token goes on with this one's.
    std::vector<std::uint64_t> waiting;
    for (const auto &[id, flight] : flights_)
        if (flight.waits_for_token) waiting.push_back(id);
    for (const std::uint64_t id : waiting) send(id);
}

std::optional<long> Deliveries::due_in() const {
    if (!ended_.empty()) return 0;
    std::optional<long> due = http_.due_in();
    for (const auto &[id, flight] : flights_)
        if (flight.waits_for_token) {
            const auto left = static_cast<long>(std::max<std::int64_t>(flight.deadline - monotonic_ms(), 0));
            due = std::min(due.value_or(left), left);
        }
    return due;
}

void Deliveries::begin(Delivery delivery) {
    const std::uint64_t id = next_++;
    const std::int64_t deadline = monotonic_ms() + delivery.attempt.timeout_ms;
    flights_.emplace(id, Flight{.delivery = std::move(delivery), .deadline = deadline});
    send(id);
}

void Deliveries::end(Delivery delivery, Outcome outcome) { ended_.push_back({std::move(delivery), std::move(outcome)}); }

void Deliveries::send(std::uint64_t id) {
    Flight &flight = flights_.at(id);
    flight.waits_for_token = false;
    const std::string &channel = flight.delivery.attempt.channel;
    if (channel == "fcm") return send_fcm(id, flight);
    if (channel == "sms") return send_sms(id, flight);
    if (channel == "webhook") return send_webhook(id, flight);
    end(id, discard("there is no channel \"" + channel + "\""));
}

void Deliveries::send_fcm(std::uint64_t id, Flight &flight) {
    if (!channels_.fcm_account) return end(id, retry(channels_.fcm_problem));
    ask_for_token();
    const std::string *token = token_.get(wall());
    if (token == nullptr) {
        if (auto failure = token_.failure(wall())) return end(id, *std::move(failure));
        flight.waits_for_token = true;
        return;
    }
    flight.token = *token;
    start(id, flight, fcm::build(flight.delivery.args(), channels_.fcm, *token, wall()));
}

// A second attempt begins with the other provider: the first may have failed in a way that could not be seen in time.
const sms::Provider &Deliveries::provider(const Flight &flight) const {
    const std::size_t first = static_cast<std::size_t>(std::max(flight.delivery.attempt.attempt - 1, 0));
    return channels_.sms[(first + flight.providers_tried) % channels_.sms.size()];
}

void Deliveries::send_sms(std::uint64_t id, Flight &flight) {
    if (channels_.sms.empty()) return end(id, retry(channels_.sms_problem));
    start(id, flight, sms::build(flight.delivery.attempt, flight.delivery.args(), provider(flight), channels_.sms_status_url));
}

void Deliveries::send_webhook(std::uint64_t id, Flight &flight) {
    if (!channels_.webhook_problem.empty()) return end(id, retry(channels_.webhook_problem));
    webhook::Order order =
        webhook::build(flight.delivery.attempt, flight.delivery.args(), *channels_.webhook_allow, channels_.webhook_secrets, wall());
    flight.terms = std::move(order.terms);
    start(id, flight, std::move(order.built));
}

void Deliveries::start(std::uint64_t id, Flight &flight, Built built) {
    if (auto *outcome = std::get_if<Outcome>(&built)) return end(id, std::move(*outcome));
    const auto left = static_cast<long>(flight.deadline - monotonic_ms());
    if (left <= 0) return end(id, retry("its time was over before it could be sent"));
    http_.start(id, std::move(std::get<Request>(built)), left);
}

void Deliveries::ask_for_token() {
    if (!token_.wanted(wall())) return;
    grant_ = next_++;
    grant_generation_ = token_.generation();
    http_.start(grant_, token_.grant(wall()), kTokenWithin);
}

void Deliveries::answered(std::uint64_t id, const Response &response) {
    if (id == grant_ || !flights_.contains(id)) {
        if (id != grant_) return;  // a grant of an account that is no longer configured
        grant_ = 0;
        if (grant_generation_ == token_.generation()) token_.answer(response, wall());
        std::vector<std::uint64_t> waiting;
        for (const auto &[other, flight] : flights_)
            if (flight.waits_for_token) waiting.push_back(other);
        for (const std::uint64_t other : waiting) send(other);
        return;
    }
    Flight &flight = flights_.at(id);
    const std::string &channel = flight.delivery.attempt.channel;
    if (channel == "fcm") {
        if (fcm::token_refused(response) && !flight.token_was_refused) {
            flight.token_was_refused = true;
            token_.refuse(flight.token);
            return send(id);
        }
        return end(id, fcm::judge(response, wall()));
    }
    if (channel == "webhook") return end(id, webhook::judge(response, flight.terms, wall()));
    Outcome outcome = sms::judge(response, flight.delivery.args(), wall());
    if (outcome.what != Outcome::kCompleted && ++flight.providers_tried < channels_.sms.size() && sms::another_may(response)) {
        flight.earlier_error = outcome.error;
        return send(id);
    }
    if (!flight.earlier_error.empty() && !outcome.error.empty()) outcome.error = flight.earlier_error + "; the other one: " + outcome.error;
    end(id, std::move(outcome));
}

void Deliveries::end(std::uint64_t id, Outcome outcome) {
    const auto flight = flights_.find(id);
    end(std::move(flight->second.delivery), std::move(outcome));
    flights_.erase(flight);
}

void Deliveries::cancel(const AttemptId &attempt) {
    const auto found =
        std::find_if(flights_.begin(), flights_.end(), [&](const auto &one) { return one.second.delivery.attempt.key() == attempt; });
    if (found == flights_.end()) return;
    const std::uint64_t id = found->first;
    http_.cancel(id);
    end(id, Outcome{.what = Outcome::kCancelled, .error = "cancelled while it was being sent"});
}

void Deliveries::stop() {
    while (!flights_.empty()) {
        const std::uint64_t id = flights_.begin()->first;
        end(id, http_.cancel(id) ? retry("the worker ended before the answer came") : Outcome{.what = Outcome::kReturned});
    }
}

void Deliveries::end_those_without_token() {
    std::vector<std::uint64_t> late;
    for (const auto &[id, flight] : flights_)
        if (flight.waits_for_token && flight.deadline <= monotonic_ms()) late.push_back(id);
    for (const std::uint64_t id : late) end(id, retry("no access token from the OAuth server in time"));
}

std::vector<Delivered> Deliveries::drive() {
    for (const Http::Done &done : http_.drive()) answered(done.id, done.response);
    end_those_without_token();
    return std::exchange(ended_, {});
}

}  // namespace pulse::queue
