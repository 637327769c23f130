// See head.hpp; RFC 9112 §3 and §6, RFC 9110 §5.
#include "http/head.hpp"

#include <algorithm>

#include "base/json.hpp"

namespace bridge::http {

namespace {

constexpr std::size_t kMostHeaders = 200;

char lower(char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c); }

// Names are in lower case already. The parser lets a space through, and `Content-Length : 1` is read in two ways.
bool is_name(std::string_view name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// A percent sign that does not begin an escape stands for itself.
std::string decode(std::string_view text, bool plus_is_space) {
    const char *special = plus_is_space ? "%+" : "%";
    std::string out;
    out.reserve(text.size());
    for (;;) {
        const std::size_t at = std::min(text.find_first_of(special), text.size());
        out += text.substr(0, at);
        if (at == text.size()) return out;
        if (text[at] == '+') {
            out += ' ';
        } else if (at + 2 < text.size() && digit(text[at + 1]) >= 0 && digit(text[at + 2]) >= 0) {
            out += static_cast<char>(digit(text[at + 1]) * 16 + digit(text[at + 2]));
            text.remove_prefix(2);
        } else {
            out += '%';
        }
        text.remove_prefix(at + 1);
    }
}

}  // namespace

bool is_text(std::string_view bytes) { return bytes.find('\0') == std::string_view::npos && json::valid_utf8(bytes); }

bool same_word(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<Flaw> flaw_of_headers(const Request &request) {
    if (request.headers.size() > kMostHeaders) return Flaw{431, "too many headers"};
    int hosts = 0, lengths = 0, codings = 0;
    for (const auto &[name, value] : request.headers) {
        if (!is_name(name)) return Flaw{400, "a header's name is malformed"};
        if (name == "host") ++hosts;
        if (name == "content-length") ++lengths;
        if (name == "transfer-encoding") {
            if (!same_word(value, "chunked")) return Flaw{501, "of transfer encodings only chunked is understood"};
            ++codings;
        }
    }
    if (hosts > 1 || (hosts == 0 && request.http11)) return Flaw{400, "one Host header is required"};
    // Two ways to say where a body ends are one too many.
    if (lengths + codings > 1) return Flaw{400, "more than one length of the body"};
    if (codings > 0 && !request.http11) return Flaw{400, "Transfer-Encoding in a request of HTTP/1.0"};
    return std::nullopt;
}

bool read_target(std::string_view target, Request &request) {
    if (const std::size_t scheme = target.find("://"); !target.starts_with('/') && scheme != std::string_view::npos) {
        const std::size_t path = target.find_first_of("/?", scheme + 3);
        target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
    }
    target = target.substr(0, target.find('#'));
    const std::size_t mark = target.find('?');
    request.path = decode(target.substr(0, mark), false);
    if (request.path.empty()) request.path.assign(1, '/');
    if (!is_text(request.path)) return false;
    if (request.path.front() != '/' && !(request.path == "*" && request.method == Method::options)) return false;
    if (mark == std::string_view::npos) return true;
    std::string_view query = target.substr(mark + 1);
    while (!query.empty()) {
        const std::string_view one = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(one.size() + 1, query.size()));
        if (one.empty()) continue;
        const std::size_t equals = one.find('=');
        const auto &[name, value] = request.query.emplace_back(
            decode(one.substr(0, equals), true), equals == std::string_view::npos ? std::string() : decode(one.substr(equals + 1), true));
        if (!is_text(name) || !is_text(value)) return false;
    }
    return true;
}

}  // namespace bridge::http
