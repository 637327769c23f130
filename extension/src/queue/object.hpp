// A JSON object that is read, or put together, or both: values are raw JSON text, in the order of their keys' first mention. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pulse::queue {

class Object {
public:
    // nullopt: the text is no object, or no JSON.
    static std::optional<Object> parse(std::string_view text);

    bool empty() const { return members_.empty(); }
    const std::vector<std::pair<std::string, std::string>> &members() const { return members_; }
    // nullopt: not there, or null.
    std::optional<std::string_view> raw(std::string_view key) const;
    std::optional<std::string> text(std::string_view key) const;  // of a string only
    std::optional<long> whole(std::string_view key) const;        // of a whole number only
    std::optional<bool> boolean(std::string_view key) const;
    std::optional<Object> object(std::string_view key) const;

    Object &put(std::string_view key, std::string_view raw_json);  // in place of what was there
    Object &put_text(std::string_view key, std::string_view text);
    Object &put_number(std::string_view key, long long number) { return put(key, std::to_string(number)); }
    // What `other` has counts; objects that both have are merged.
    Object &merge(const Object &other);
    std::string json() const;

private:
    std::vector<std::pair<std::string, std::string>> members_;
};

}  // namespace pulse::queue
