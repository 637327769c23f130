// Who asks: the verified claims and ids that the bridge sends with each call, as SQL sees them by pulse.claim(),
// pulse.user_id() and so on. Only the functions of handle/ open a Scope; nothing that SQL can do changes it.
// The setting request.jwt.claims is a copy for row security written for PostgREST; anybody with raw SQL can set that one.
#pragma once

#include "pg/run_as.hpp"

namespace pulse::auth {

struct Context {
    std::string claims = "{}";  // a JSON object, as it was signed
    std::optional<std::string> user_id, session_id, socket_id, namespace_name, ip, correlation_id, traceparent;
    std::optional<std::string> auth;  // raw JSON: what a CONNECT said
};

// Of the JSON text of a context. On malformed text: nullopt and *problem says why.
std::optional<Context> parse_context(std::string_view json, std::string *problem);

const Context *current();  // null outside the bridge's calls

// Makes a context the current one; settings made inside the scope, request.jwt.claims and pulse.traceparent among them, end with it.
class Scope {
public:
    explicit Scope(const Context &context, Datum attachments = 0);
    ~Scope();
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

private:
    pg::SettingScope settings_;
    const Context *outer_;
    Datum outer_attachments_;
};

}  // namespace pulse::auth
