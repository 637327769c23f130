// Delivery channel fcm: Firebase Cloud Messaging, HTTP v1 messages:send. Pure. docs/reference/fcm.md describes the arguments.
#pragma once

#include "queue/channel.hpp"

namespace pulse::queue::fcm {

struct Settings {
    std::string url = "https://fcm.googleapis.com", project;
    bool dry_run = false;  // asks that nothing be delivered
};

Built build(std::string_view args, const Settings &settings, std::string_view access_token, std::int64_t now);
Outcome judge(const Response &response, std::int64_t now);
// The access token was not taken: another may be.
bool token_refused(const Response &response);
// The result of an outcome says that the device's token is dead.
bool is_dead_token(const Outcome &outcome);
// The device's token that the arguments name; nullopt: another target.
std::optional<std::string> device_token(std::string_view args);

}  // namespace pulse::queue::fcm
