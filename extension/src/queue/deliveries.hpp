// Deliveries on their way: which request stands for which attempt, the access token that messages to FCM wait for, the second SMS provider,
// and what each ends as. Pure: the HTTP worker gives it attempts and takes outcomes; nothing here waits, and nothing knows a table.
#pragma once

#include "queue/fcm.hpp"
#include "queue/http.hpp"
#include "queue/oauth.hpp"
#include "queue/sms.hpp"
#include "queue/webhook.hpp"

#include <map>

namespace pulse::queue {

// What is configured. Where a file cannot be used, the sentence says why: it is what attempts of that channel fail with.
struct Channels {
    fcm::Settings fcm;
    std::optional<ServiceAccount> fcm_account;
    std::string fcm_problem, oauth_url;
    std::vector<sms::Provider> sms;  // in the order of preference
    std::string sms_problem, sms_status_url;
    std::shared_ptr<const AllowList> webhook_allow = std::make_shared<AllowList>();
    WebhookSecrets webhook_secrets;
    std::string webhook_problem;
    std::string ca_file;
    int most_connections = 128;
};

struct Delivery {
    Attempt attempt;
    std::optional<std::string> built = {};  // arguments that its kind's function has made
    std::int64_t started_at = 0;            // the worker's own clock; only handed back
    std::string host = {};                  // whose share it takes; only handed back

    std::string_view args() const { return built ? *built : attempt.args; }  // the channel's
};

struct Delivered {
    Delivery delivery;
    Outcome outcome;
};

class Deliveries {
public:
    Deliveries(Http::Hooks hooks, int most_connections) : http_(hooks, most_connections) {}

    void configure(Channels channels);
    int descriptor() const { return http_.descriptor(); }
    std::size_t size() const { return flights_.size(); }
    std::optional<long> due_in() const;  // as Http::due_in()

    void begin(Delivery delivery);
    void end(Delivery delivery, Outcome outcome);  // without having been begun
    void cancel(const AttemptId &attempt);
    // The end of the process: what has surely not arrived is returned, the rest failed.
    void stop();
    // Does what can be done without waiting, and returns what has ended.
    std::vector<Delivered> drive();

private:
    struct Flight {
        Delivery delivery;
        std::int64_t deadline;  // ms of the monotonic clock
        bool waits_for_token = false;
        bool token_was_refused = false;
        std::string token = {};  // the one it was sent with
        std::size_t providers_tried = 0;
        std::string earlier_error = {};  // of the provider before
        webhook::Terms terms = {};
    };

    void send(std::uint64_t id);
    void send_fcm(std::uint64_t id, Flight &flight);
    void send_sms(std::uint64_t id, Flight &flight);
    void send_webhook(std::uint64_t id, Flight &flight);
    void start(std::uint64_t id, Flight &flight, Built built);
    void ask_for_token();
    void answered(std::uint64_t id, const Response &response);
    void end(std::uint64_t id, Outcome outcome);
    const sms::Provider &provider(const Flight &flight) const;
    void end_those_without_token();

    Http http_;
    Channels channels_;
    AccessToken token_;
    std::uint64_t next_ = 1, grant_ = 0;  // grant_: the request for a token, 0: none is on its way
    unsigned grant_generation_ = 0;
    std::map<std::uint64_t, Flight> flights_;
    std::vector<Delivered> ended_;
};

}  // namespace pulse::queue
