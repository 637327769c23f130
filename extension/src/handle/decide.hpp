// May somebody do something with a room? Asks the policies, each in a read-only subtransaction as pulse_client; an error
// denies and is counted. Policies that do not fail share one subtransaction: they leave nothing behind, and their
// functions stay prepared inside it. The functions that decide: pulse.decide, pulse.join;
// pulse.explain_access.
#pragma once

#include "handle/call.hpp"

#include <memory>

namespace pulse::handle {

struct Request {
    std::string operation, room;
    const auth::Context *context = nullptr;  // null: malformed, denied already
    bool allowed = false;
    std::string reason;
    std::shared_ptr<const pg::Raised> refusal{};  // the policy's own words to the client, by pulse.fail
    // Of the policy that decides, for who is told; empty: none does.
    std::string pattern{}, function{};
    std::optional<std::string> extension{};
};

// An error of a policy is the log's, and the client hears nothing of it; who asks how access is decided, is told.
enum class Errors { kLogged, kTold };

// Fills allowed, reason and refusal. Inside a Deadline of the caller's own, if it wants one.
void decide_all(Oid owner, std::vector<Request> &requests, Errors errors = Errors::kLogged);

// A denial as an error of the function that wanted to: in the policy's own words, where it said any.
[[noreturn]] void refuse(const Request &request);

}  // namespace pulse::handle
