#include "db/sql_error.hpp"

#include <array>
#include <charconv>

#include "base/json.hpp"

namespace bridge::db {

namespace {

struct Row {
    std::string_view sqlstate;
    Errc errc;
};
constexpr std::array<Row, 10> kClientErrors{{
    {"PL400", Errc::bad_request},
    {"PL401", Errc::unauthenticated},
    {"PL403", Errc::forbidden},
    {"PL404", Errc::not_found},
    {"PL409", Errc::conflict},
    {"PL410", Errc::must_refetch},
    {"PL413", Errc::payload_too_large},
    {"PL422", Errc::invalid},
    {"PL429", Errc::rate_limited},
    {"PL503", Errc::unavailable},
}};

std::int64_t seconds(std::string_view detail) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(detail.data(), detail.data() + detail.size(), value);
    return error == std::errc() && end == detail.data() + detail.size() && value > 0 ? value : 0;
}

// Members that mean something in every error, or in the message around it: SQL's details do not replace them.
bool is_reserved(std::string_view key) {
    return key == "code" || key == "message" || key == "hint" || key == "event" || key == "correlationId" || key == "type" || key == "id";
}

// A DETAIL that is a JSON object is the client's too; any other stays here.
void add_details(Error &error, std::string_view detail) {
    if (!detail.starts_with('{')) return;
    const auto members = json::members(detail);
    if (!members) return;
    for (const auto &[key, value] : *members) {
        if (key == "retryAfter") {
            error.retry_after = seconds(value);
            continue;
        }
        if (is_reserved(key)) continue;
        if (key == "class" && error.code == Errc::rate_limited) error.limit_class = json::unquote(value).value_or("");
        if (!error.details.empty()) error.details += ',';
        json::append_quoted(error.details, key);
        error.details += ':';
        error.details += value;
    }
}

}  // namespace

Error to_error(const SqlError &error) {
    if (error.lost()) return Error{Errc::unavailable, "the database is not available, try again", "", 0};
    for (const Row &row : kClientErrors) {
        if (row.sqlstate != error.sqlstate) continue;
        Error out{row.errc, error.message, error.hint, row.errc == Errc::rate_limited ? seconds(error.detail) : 0};
        add_details(out, error.detail);
        return out;
    }
    // The handler ran out of time, or the server is going down or coming up, or has no connection to spare.
    if (error.sqlstate == "57014") return Error{Errc::unavailable, "the operation took too long", "", 0};
    if (error.sqlstate.starts_with("57P") || error.sqlstate.starts_with("53") || error.sqlstate.starts_with("08")) {
        return Error{Errc::unavailable, "the database is not available, try again", "", 0};
    }
    return Error{Errc::internal, "internal error", "", 0};
}

}  // namespace bridge::db
