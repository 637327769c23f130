#include "handle/door.hpp"

#include "handle/evictions.hpp"
#include "json/slice.hpp"
#include "names/room_value.hpp"
#include "names/rules.hpp"

#include <algorithm>

namespace pulse::handle {

void Welcome::join(std::string room) {
    if (std::find(rooms.begin(), rooms.end(), room) == rooms.end()) rooms.push_back(std::move(room));
}

void Welcome::set(const std::string &key, std::string_view value) {
    for (auto &[name, text] : data)
        if (name == key) {
            text = json::compact(value);
            return;
        }
    data.emplace_back(key, json::compact(value));
}

void Welcome::keep(const std::optional<std::string> &stored) {
    Welcome kept;
    const std::string before = stored.value_or("{}");
    for (const json::Member &entry : json::members(before).value_or(std::vector<json::Member>{})) kept.set(entry.key, entry.value);
    for (const auto &[key, value] : data) kept.set(key, value);
    data = std::move(kept.data);
}

std::string Welcome::data_json() const {
    std::string text = "{";
    for (const auto &[key, value] : data) {
        if (text.size() > 1) text += ',';
        text += json::quoted(key) + ":" + value;
    }
    return text += '}';
}

namespace {

[[noreturn]] void bad_result(const std::string &function, const std::string &why) {
    pg::fail(ERRCODE_INVALID_FUNCTION_DEFINITION, "connect function " + function + ": " + why, {},
             "It returns {\"rooms\":[\"…\"],\"data\":{…}} or null.");
}

void unite(Welcome &welcome, const std::string &function, std::string_view result) {
    if (json::kind(result) == json::Kind::kNull) return;
    const auto members = json::members(result);
    if (!members) bad_result(function, "the result is no JSON object");
    for (const json::Member &member : *members) {
        if (json::kind(member.value) == json::Kind::kNull) continue;
        if (member.key == "rooms") {
            const auto elements = json::elements(member.value);
            if (!elements) bad_result(function, "rooms is no JSON array");
            for (const std::string_view element : *elements) {
                auto room = json::unescape(element);
                if (!room) bad_result(function, "a room is no string");
                if (const auto problem = names::check_room(*room)) bad_result(function, problem->message);
                welcome.join(std::move(*room));
            }
        } else if (member.key == "data") {
            const auto data = json::members(member.value);
            if (!data) bad_result(function, "data is no JSON object");
            for (const json::Member &entry : *data) welcome.set(entry.key, entry.value);
        } else {
            bad_result(function, "unknown key \"" + member.key + "\"");
        }
    }
}

}  // namespace

Door::Door(Oid owner, const std::string &name, const auth::Context &context) {
    static pg::Plan functions("SELECT DISTINCT n.connect FROM _pulse.namespaces n WHERE n.name = $1 AND (n.extension IS NULL "
                              "OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = n.extension)) ORDER BY n.connect");
    const MemoryContext memory = CurrentMemoryContext;
    {
        const LogScope scope(owner);
        functions.for_each(
            {pg::param_text(name)}, [&](const pg::Row &row) { names_.emplace_back(row.text(1)); }, true);
        if (names_.empty() && name != "/") pg::fail(kNotFound, "Invalid namespace");
        position_ = cursor();
        if (is_revoked(context)) pg::fail(kUnauthenticated, "the token is revoked");
    }
    const pg::OwnerScope scope(owner);
    for (const std::string &function : names_)
        callables_.push_back(std::make_unique<rooms::Callable>(function, rooms::kConnectShape, memory));
}

Welcome Door::greet(const auth::Context &context) {
    Welcome welcome;
    if (context.user_id) {
        std::string room = "user:";
        names::append_room_value(room, *context.user_id);
        if (names::check_room(room)) pg::fail(kBadRequest, "the user id is too long");
        welcome.join(std::move(room));
    }
    const Effects effects(Effects::Of::kConnect);
    const auth::Scope scope(context);
    for (std::size_t n = 0; n < names_.size(); ++n) {
        const auto result = run_as_client(rooms::client_role(), "connect function " + names_[n],
                                          [&] { return (*callables_[n])({pg::text_datum(context.claims)}); });
        if (result) unite(welcome, names_[n], pg::view(*result));
    }
    if (!effects.empty()) welcome.effects = effects.json();
    welcome.tracked = effects.presence();
    return welcome;
}

}  // namespace pulse::handle
