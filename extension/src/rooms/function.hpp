// User functions that are registered by name: checked when registered, looked up again at each call, since they may be
// dropped or replaced meanwhile. The lookups run as owner; the calls as pulse_client, which needs EXECUTE and USAGE.
#pragma once

#include "pg/spi.hpp"

namespace pulse::rooms {

// What a registration asks of a function.
struct Shape {
    const char *registered_by;  // "pulse.policy"
    const char *text;           // "f(claims json, room text, params json) returns boolean"
    int count;
    Oid arguments[3];
    Oid result;
};
extern const Shape kPolicyShape, kHandlerShape, kConnectShape, kStreamShape, kRouteShape, kAnswerShape;

Oid client_role();  // pulse_client

// Resolves a name or a signature as the current user does and checks its shape; returns the qualified name. Raises
// with a hint of what is needed. Warns with the exact GRANT when pulse_client could not execute it.
std::string check_function(std::string_view given, const Shape &shape);

// The qualified name when the function still exists, else the name as it was given: for dropping registrations.
std::string qualified_or_as_given(std::string_view given, const Shape &shape);

// A registered function, ready to be called many times. Call as pulse_client.
class Callable {
public:
    // Raises undefined_function or insufficient_privilege with a hint.
    Callable(const std::string &name, const Shape &shape, MemoryContext context);
    // nullopt: NULL. The result lives in the caller's memory context.
    std::optional<Datum> operator()(std::initializer_list<std::optional<Datum>> arguments);  // nullopt: NULL
    bool strict() const { return info_.fn_strict; }                                          // not called when an argument is NULL
    void renew();  // after an error: forgets what the function had prepared

private:
    FmgrInfo info_;
    MemoryContext context_;
};

}  // namespace pulse::rooms
