// The extension as this database has it, and whether its SQL is of this library's version. One library serves databases whose
// SQL is older until ALTER EXTENSION … UPDATE: their functions work, but no worker of ours runs there, since it knows one schema only.
#pragma once

#include "pg/guard.hpp"

namespace pulse::pg {

// The version of the control file; lint compares.
constexpr char kVersion[] = "1.1";

// Plain data: it outlives any error.
struct Installed {
    Oid oid = InvalidOid;  // InvalidOid: not there
    char version[32] = "";

    bool exists() const { return OidIsValid(oid); }
    bool is_ours() const;  // of this library's version
    bool operator==(const Installed &other) const;
};

// May ereport: from inside call() or where no object is alive.
Installed installed_extension();

// The extension whose script is running: what is registered there is its own. nullopt: none, so it is the application's.
std::optional<std::string> running_extension();

}  // namespace pulse::pg
