// Time limit, position and arguments of a call.
#include "handle/call.hpp"

#include "json/slice.hpp"
#include "names/rules.hpp"
#include "pg/log_state.hpp"

#include <charconv>

namespace pulse::handle {

pg::Raised explain(const pg::Raised &error, const std::string &what, const pg::TimeLimit &limit) {
    if (error.sqlstate != ERRCODE_QUERY_CANCELED || !limit.over()) return error;
    return pg::make_raised(ERRCODE_QUERY_CANCELED,
                           what + " ran longer than pulse.handler_timeout (" + std::to_string(guc::handler_timeout) + " ms)", error.detail,
                           error.hint);
}

pg::Raised blame(const pg::Raised &error, std::string_view given) {
    const bool about_text = error.sqlstate == ERRCODE_UNTRANSLATABLE_CHARACTER || error.sqlstate == ERRCODE_INVALID_TEXT_REPRESENTATION;
    // Else a client could have any other 22P02 of the handler taken for its own doing, and kept out of the log.
    if (!about_text || !error.from_json_parser || !json::has_unreadable_escape(given)) return error;
    return pg::make_raised(kBadRequest, "a text has \\u0000 or half of a surrogate pair, which PostgreSQL cannot hold", {}, {});
}

std::optional<Cursor> cursor() {
    static pg::Plan plan("SELECT e.epoch, GREATEST(e.after_position, "
                         "(SELECT t.last_position FROM pulse.ticks t ORDER BY t.last_position DESC LIMIT 1)) "
                         "FROM _pulse.epochs e ORDER BY e.number DESC LIMIT 1");
    if (plan.run({}, true) == 0) return std::nullopt;
    return Cursor{std::string(pg::result_row().text(1)), pg::result_row().int8(2)};
}

std::optional<Cursor> position_of(Oid owner, const Effects &effects) {
    if (effects.empty()) return std::nullopt;
    const pg::OwnerScope scope(owner);
    const pg::SpiSession spi;
    return cursor();
}

CheckedCursor check_cursor(std::string_view text, const std::optional<Cursor> &now) {
    static pg::Plan plan("SELECT c.position, c.reason FROM _pulse.check_cursor($1) c");
    if (now && text.size() > now->epoch.size() && text.starts_with(now->epoch) && text[now->epoch.size()] == ':') {
        const std::string_view digits = text.substr(now->epoch.size() + 1);
        const auto position = digits.find_first_not_of("0123456789") == std::string_view::npos ? integer(digits) : std::nullopt;
        if (position && *position <= now->position && *position >= pg::log_floor() - 1) return {*position, std::nullopt};
    }
    plan.run({pg::param_text(text)});
    const pg::Row row = pg::result_row();
    if (const auto reason = row.optional_text(2)) return {0, std::string(*reason)};
    return {row.int8(1), std::nullopt};
}

std::optional<int64> integer(const std::optional<std::string_view> &json) {
    if (!json) return std::nullopt;
    const std::string_view text = json::trim(*json);
    int64 value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

auth::Context read_context(std::string_view json) {
    std::string problem;
    auto context = auth::parse_context(json, &problem);
    if (!context) pg::fail(kBadRequest, problem);
    return std::move(*context);
}

auth::Context context_argument(FunctionCallInfo fcinfo, int n) {
    if (pg::arg_is_null(fcinfo, n)) pg::fail(kBadRequest, "context is missing");
    return read_context(pg::view(pg::arg(fcinfo, n)));
}

std::string text_argument(FunctionCallInfo fcinfo, int n, const char *name) {
    if (pg::arg_is_null(fcinfo, n)) pg::fail(kBadRequest, std::string(name) + " is missing");
    return pg::to_string(pg::arg(fcinfo, n));
}

std::string room_argument(FunctionCallInfo fcinfo, int n) {
    if (pg::arg_is_null(fcinfo, n)) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "room is null");
    std::string room = pg::to_string(pg::arg(fcinfo, n));
    if (const auto problem = names::check_room(room)) pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, problem->message, {}, problem->hint);
    return room;
}

bool namespace_exists(std::string_view name) {
    static pg::Plan plan("SELECT FROM _pulse.namespaces n WHERE n.name = $1 AND (n.extension IS NULL "
                         "OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = n.extension)) LIMIT 1");
    return name == "/" || plan.run({pg::param_text(name)}, true) > 0;
}

}  // namespace pulse::handle
