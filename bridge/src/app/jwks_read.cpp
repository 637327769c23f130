#include "app/jwks_read.hpp"

#include <curl/curl.h>

#include <fstream>
#include <memory>

namespace bridge::app {

namespace {

constexpr long kTimeout = 5'000, kConnectTimeout = 3'000;  // ms

struct Answer {
    std::string body;
    bool too_long = false;
};

std::size_t take(const char *bytes, std::size_t size, std::size_t count, void *to) noexcept {
    auto &answer = *static_cast<Answer *>(to);
    answer.too_long = answer.body.size() + size * count > auth::kMaxJwksBytes;
    if (answer.too_long) return 0;
    answer.body.append(bytes, size * count);
    return size * count;
}

int look(void *cancelled, curl_off_t, curl_off_t, curl_off_t, curl_off_t) noexcept {
    return static_cast<const std::atomic<bool> *>(cancelled)->load() ? 1 : 0;
}

Result<std::string> fetch(const std::string &url, const std::atomic<bool> &cancelled) {
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
    if (!curl) return Error{Errc::unavailable, "libcurl cannot begin"};
    Answer answer;
    char why[CURL_ERROR_SIZE] = "";
    CURL *const handle = curl.get();
    curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "https,http");
    curl_easy_setopt(handle, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, kTimeout);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeout);
    curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, look);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, const_cast<std::atomic<bool> *>(&cancelled));
    const CURLcode code = curl_easy_perform(handle);
    if (answer.too_long) return Error{Errc::unavailable, "the JWKS is longer than 256 kB"};
    if (code != CURLE_OK) return Error{Errc::unavailable, why[0] != '\0' ? std::string(why) : std::string(curl_easy_strerror(code))};
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) return Error{Errc::unavailable, "the JWKS's server answered " + std::to_string(status)};
    return std::move(answer.body);
}

Result<std::string> read_file(const std::string &path) {
    std::ifstream in(path, std::ios::binary);
    std::string text(auth::kMaxJwksBytes + 1, '\0');
    if (!in.read(text.data(), static_cast<std::streamsize>(text.size())) && in.gcount() == 0) {
        return Error{Errc::unavailable, "cannot read '" + path + "'"};
    }
    text.resize(static_cast<std::size_t>(in.gcount()));
    return text;
}

}  // namespace

bool is_url(const std::string &source) { return source.starts_with("https://") || source.starts_with("http://"); }

Result<auth::Jwks> read_jwks(const std::string &source, const std::atomic<bool> &cancelled) {
    BRIDGE_TRY(text, is_url(source) ? fetch(source, cancelled) : read_file(source));
    return auth::parse_jwks(text, is_url(source) ? auth::Secrets::ignored : auth::Secrets::taken);
}

}  // namespace bridge::app
