// May somebody do something with a room? Asks the policies, each in a read-only subtransaction as pulse_client; an error
// denies and is counted. Policies that do not fail share one subtransaction: they leave nothing behind, and their
// functions stay prepared inside it. The functions that decide: pulse.decide, pulse.join;
// pulse.explain_access.
#pragma once

#include "handle/call.hpp"

namespace pulse::handle {

struct Request {
    std::string operation, room;
    const auth::Context *context = nullptr;  // null: malformed, denied already
    bool allowed = false;
    std::string reason;
    // Of the policy that decides, for who is told; empty: none does.
    std::string pattern{}, function{};
    std::optional<std::string> extension{};
};

// An error of a policy is the log's, and the client hears nothing of it; who asks how access is decided, is told.
enum class Errors { kLogged, kTold };

// Fills allowed and reason. Inside a Deadline of the caller's own, if it wants one.
void decide_all(Oid owner, std::vector<Request> &requests, Errors errors = Errors::kLogged);

}  // namespace pulse::handle
