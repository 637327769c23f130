// Outcomes, Retry-After, and strangers' text.
#include "queue/channel.hpp"

#include "json/check.hpp"
#include "json/slice.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <ctime>

#include "pg/pure.hpp"

namespace pulse::queue {

namespace {

// Longer than any server means; what is more is its mistake, and the queue has a longest wait of its own.
constexpr std::int64_t kLongestWait = 3600;

constexpr std::string_view kHidden = "[secret]";

// The length of the UTF-8 character at the front of `text`; 0 when there is none. Overlong forms and surrogates are none.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t n) { return static_cast<unsigned char>(text[n]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
    for (std::size_t n = 1; n < length; ++n)
        if ((byte(n) & 0xC0) != 0x80) return 0;
    if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) || (first == 0xF0 && byte(1) < 0x90) ||
        (first == 0xF4 && byte(1) > 0x8F))
        return 0;
    return length;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

// "Sun, 06 Nov 1994 08:49:37 GMT", the only form that is still sent.
std::optional<std::int64_t> http_date(std::string_view text) {
    static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT") return std::nullopt;
    const auto number = [&](std::size_t at, std::size_t size, int &to) {
        const char *begin = text.data() + at, *end = begin + size;
        const auto [stop, error] = std::from_chars(begin, end, to);
        return error == std::errc() && stop == end && to >= 0;
    };
    std::tm time{};
    const std::size_t month = kMonths.find(text.substr(8, 3));
    if (month == std::string_view::npos || month % 3 != 0 || !number(5, 2, time.tm_mday) || !number(12, 4, time.tm_year) ||
        !number(17, 2, time.tm_hour) || !number(20, 2, time.tm_min) || !number(23, 2, time.tm_sec))
        return std::nullopt;
    time.tm_mon = static_cast<int>(month / 3);
    time.tm_year -= 1900;
    return timegm(&time);
}

}  // namespace

Outcome completed(std::string result_json) {
    Outcome outcome{};
    outcome.what = Outcome::kCompleted;
    outcome.result_json = std::move(result_json);
    return outcome;
}

Outcome retry(std::string why, std::optional<std::int64_t> after_ms) {
    Outcome outcome{};
    outcome.what = Outcome::kRetry;
    outcome.error = std::move(why);
    outcome.retry_after_ms = after_ms;
    return outcome;
}

Outcome discard(std::string why, std::optional<std::string> result_json) {
    Outcome outcome{};
    outcome.what = Outcome::kDiscard;
    outcome.error = std::move(why);
    outcome.result_json = std::move(result_json);
    return outcome;
}

std::optional<Outcome> judge_transport(const Response &response, std::string_view who, std::int64_t now) {
    const std::string name(who);
    if (response.status == 0) return retry(name + ": " + words(response.failure));
    const bool busy = response.status == 408 || response.status == 425 || response.status == 429;
    if (!busy && response.status < 500) return std::nullopt;
    std::string why = name + " answered " + std::to_string(response.status);
    if (const std::string said = words(response.body); !said.empty()) why += ": " + said;
    return retry(std::move(why), retry_after_ms(response, now));
}

std::optional<std::int64_t> retry_after_ms(const Response &response, std::int64_t now) {
    if (!response.retry_after) return std::nullopt;
    std::string_view text = *response.retry_after;
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    std::int64_t seconds = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error == std::errc::result_out_of_range && stop == text.data() + text.size()) return kLongestWait * 1000;
    if (error != std::errc() || stop != text.data() + text.size()) {
        const auto date = http_date(text);
        if (!date) return std::nullopt;
        seconds = *date - now;
    }
    return std::clamp<std::int64_t>(seconds, 0, kLongestWait) * 1000;
}

std::string unknown_member(const Object &args, std::span<const std::string_view> known) {
    for (const auto &[key, value] : args.members()) {
        if (std::find(known.begin(), known.end(), key) != known.end()) continue;
        std::string wrong = "args: unknown member \"" + words(key, 60) + "\"; there are";
        for (const std::string_view name : known) wrong.append(name == known.front() ? " " : ", ").append(name);
        return wrong;
    }
    return {};
}

std::string words(std::string_view foreign, std::size_t most) {
    std::string out;
    bool space = false;
    while (!foreign.empty()) {
        const std::size_t length = utf8_length(foreign);
        const auto first = static_cast<unsigned char>(foreign[0]);
        const std::string_view character = length == 0 ? std::string_view("?") : foreign.substr(0, length);
        foreign.remove_prefix(std::max<std::size_t>(length, 1));
        if (first <= ' ' || first == 0x7F) {
            space = true;
            continue;
        }
        if (out.size() + character.size() + 1 > most) return out += "…";
        if (space && !out.empty()) out += ' ';
        space = false;
        out += character;
    }
    return out;
}

std::string as_json(std::string_view foreign, std::size_t most) {
    const std::string_view text = json::trim(foreign);
    if (text.empty()) return "null";
    std::string out;
    // PostgreSQL takes \u0000 for JSON, but can make no text of it.
    if (text.size() <= most && is_utf8(text) && text.find("\\u0000") == std::string_view::npos && !json::check(text, out)) return out;
    return json::quoted(words(text, most));
}

void redact(Response &response, const std::vector<std::string> &secrets) {
    for (const std::string &secret : secrets) {
        if (secret.empty()) continue;
        for (std::string *text : {&response.body, &response.failure})
            for (std::size_t at = 0; (at = text->find(secret, at)) != std::string::npos; at += kHidden.size())
                text->replace(at, secret.size(), kHidden);
    }
}

bool fits_header(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < ' ' && byte != '\t') || byte == 0x7F;
    });
}

std::string form_encoded(std::string_view text) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || c == '-' || c == '.' ||
            c == '_' || c == '~')
            out += c;
        else
            out.append(1, '%').append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    }
    return out;
}

std::string with_path(std::string_view base, std::string_view path) {
    while (!base.empty() && base.back() == '/') base.remove_suffix(1);
    while (!path.empty() && path.front() == '/') path.remove_prefix(1);
    return std::string(base).append("/").append(path);
}

}  // namespace pulse::queue
