#include "app/hint.hpp"

namespace bridge::app {

namespace {

struct Known {
    std::string_view words, hint;
};

constexpr Known kKnown[] = {
    {"password authentication failed",
     "is the password right, in PULSE_DATABASE_URL, PGPASSWORD or ~/.pgpass? ALTER ROLE … PASSWORD sets another"},
    {"no password supplied", "put it into PULSE_DATABASE_URL, PGPASSWORD or ~/.pgpass"},
    {"no pg_hba.conf entry", "allow the role to connect from here in pg_hba.conf, then SELECT pg_reload_conf()"},
    {"Peer authentication failed", "connect as the role's own system user, by TCP with a password, or change pg_hba.conf"},
    {"role \"", "CREATE ROLE … LOGIN IN ROLE pulse_bridge"},
    {"database \"", "is the name in PULSE_DATABASE_URL right? A database is made by CREATE DATABASE"},
    {"schema \"pulse\" does not exist", "CREATE EXTENSION pulse in this database"},
    {"permission denied", "GRANT pulse_bridge TO the role of PULSE_DATABASE_URL"},
    {"function pulse.", "the extension is older than this bridge: install the same version and ALTER EXTENSION pulse UPDATE"},
    {"could not look up host", "is the host name in PULSE_DATABASE_URL right?"},
    {"Connection refused", "does PostgreSQL run there, and do listen_addresses and port allow the connection?"},
    {"No such file or directory", "does PostgreSQL run on this machine, with this socket folder and port?"},
    {"no dispatcher is running",
     "shared_preload_libraries must contain pulse, and pulse.databases this database; SELECT pulse.status() says more"},
    {"no dispatcher has run yet",
     "shared_preload_libraries must contain pulse, and pulse.databases this database; SELECT pulse.status() says more"},
};

}  // namespace

std::string_view hint_for(std::string_view failure) {
    for (const Known &known : kKnown) {
        if (failure.find(known.words) != std::string_view::npos) return known.hint;
    }
    return {};
}

}  // namespace bridge::app
