// Members of JSON objects.
#include "queue/object.hpp"

#include "json/check.hpp"
#include "json/slice.hpp"

#include <algorithm>
#include <charconv>

#include "pg/pure.hpp"

namespace pulse::queue {

std::optional<Object> Object::parse(std::string_view text) {
    std::string compact;
    if (json::check(text, compact)) return std::nullopt;
    const auto members = json::members(compact);
    if (!members) return std::nullopt;
    Object object;
    for (const json::Member &member : *members) object.put(member.key, member.value);
    return object;
}

std::optional<std::string_view> Object::raw(std::string_view key) const {
    for (const auto &[name, value] : members_)
        if (name == key && value != "null") return value;
    return std::nullopt;
}

std::optional<std::string> Object::text(std::string_view key) const {
    const auto value = raw(key);
    return value ? json::unescape(*value) : std::nullopt;
}

std::optional<long> Object::whole(std::string_view key) const {
    const auto value = raw(key);
    long number = 0;
    if (!value) return std::nullopt;
    const auto [stop, error] = std::from_chars(value->data(), value->data() + value->size(), number);
    if (error != std::errc() || stop != value->data() + value->size()) return std::nullopt;
    return number;
}

std::optional<bool> Object::boolean(std::string_view key) const {
    const auto value = raw(key);
    if (!value || (*value != "true" && *value != "false")) return std::nullopt;
    return *value == "true";
}

std::optional<Object> Object::object(std::string_view key) const {
    const auto value = raw(key);
    return value ? parse(*value) : std::nullopt;
}

Object &Object::put(std::string_view key, std::string_view raw_json) {
    const auto there = std::find_if(members_.begin(), members_.end(), [&](const auto &member) { return member.first == key; });
    if (there == members_.end())
        members_.emplace_back(key, raw_json);
    else
        there->second = raw_json;
    return *this;
}

Object &Object::put_text(std::string_view key, std::string_view text) { return put(key, json::quoted(text)); }

Object &Object::merge(const Object &other) {
    for (const auto &[key, value] : other.members_) {
        auto mine = object(key);
        const auto theirs = parse(value);
        if (mine && theirs)
            put(key, mine->merge(*theirs).json());
        else
            put(key, value);
    }
    return *this;
}

std::string Object::json() const {
    std::string out = "{";
    for (const auto &[key, value] : members_) {
        if (out.size() > 1) out += ',';
        json::append_quoted(out, key);
        out.append(":").append(value);
    }
    return out + '}';
}

}  // namespace pulse::queue
