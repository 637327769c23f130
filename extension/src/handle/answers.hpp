// Idempotent handlers: pulse.on(…, key => '{requestId}'). The answer is stored per (user, namespace, event, key) in the
// handler's own transaction, so a retried call gets the first one's answer and runs nothing twice. A second call at the
// same time waits for the first. What failed is not stored: it runs again. Used by handle.cpp alone.
#pragma once

#include "handle/call.hpp"

namespace pulse::handle {

class Answer {
public:
    // Takes the key of this call, waiting for a running call with the same one. nullopt when the first argument has no
    // value for a placeholder: such a call is no retry of anything.
    static std::optional<Answer> claim(Oid owner, const std::string &key_template, std::string_view args, const std::string &user_id,
                                       const std::string &name, const std::string &event);
    bool stored() const { return ack_.has_value(); }
    const std::string &ack() const { return *ack_; }
    // Repeats the stored joins and leaves for this session, asking the policies again, and what the ack carries; replies are not
    // repeated.
    void rejoin(Oid owner, Effects &effects) const;
    void store(Oid owner, const std::string &ack, const std::string &effects) const;

private:
    std::string user_id_, name_, event_, key_;
    std::optional<std::string> ack_;
    std::string effects_;
};

}  // namespace pulse::handle
