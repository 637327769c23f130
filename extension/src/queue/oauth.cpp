// The JWT that asks for a token, and its answer.
#include "queue/oauth.hpp"

#include "queue/object.hpp"
#include "queue/sign.hpp"

#include <algorithm>

#include "pg/pure.hpp"

namespace pulse::queue {

namespace {

constexpr std::int64_t kAssertionLife = 3600;  // the most that is accepted
constexpr std::int64_t kAhead = 300;           // a new one is asked for this many seconds before the end
constexpr std::int64_t kLongestPause = 60;     // between failed tries

}  // namespace

void AccessToken::use(const ServiceAccount &account, std::string_view url) {
    const std::string_view at = url.empty() ? std::string_view(account.token_url) : url;
    if (account_ && *account_ == account && url_ == at) return;
    begin_again();
    account_ = account;
    url_ = at;
}

void AccessToken::forget_account() { begin_again(); }

void AccessToken::begin_again() {
    const unsigned generation = generation_ + 1;
    *this = AccessToken();
    generation_ = generation;
}

const std::string *AccessToken::get(std::int64_t now) const { return !token_.empty() && now < ends_ ? &token_ : nullptr; }

Request AccessToken::grant(std::int64_t now) {
    asked_ = true;
    Object header, claims;
    header.put_text("alg", "RS256").put_text("typ", "JWT");
    if (!account_->key_id.empty()) header.put_text("kid", account_->key_id);
    claims.put_text("iss", account_->email)
        .put_text("scope", "https://www.googleapis.com/auth/firebase.messaging")
        .put_text("aud", account_->token_url)
        .put_number("iat", now)
        .put_number("exp", now + kAssertionLife);
    const std::string text = base64_url(header.json()) + '.' + base64_url(claims.json());
    const std::string assertion = text + '.' + base64_url(rs256(account_->private_key, text).value_or(""));
    Request request;
    request.url = url_;
    request.headers = {"Content-Type: application/x-www-form-urlencoded"};
    request.body = "grant_type=" + form_encoded("urn:ietf:params:oauth:grant-type:jwt-bearer") + "&assertion=" + assertion;
    request.secrets = {assertion};
    return request;
}

void AccessToken::answer(const Response &response, std::int64_t now) {
    asked_ = false;
    const auto object = Object::parse(response.body);
    if (response.status == 200 && object) {
        const auto token = object->text("access_token");
        if (token && !token->empty() && fits_header(*token)) {
            const std::int64_t life = std::clamp<std::int64_t>(object->whole("expires_in").value_or(3600), 1, 24 * 3600);
            token_ = *token;
            ends_ = now + life;
            ask_at_ = ends_ - std::min(kAhead, life / 2);
            failures_ = 0;
            why_.clear();
            return;
        }
    }
    if (response.status == 0) return failed(words(response.failure), response, now);
    std::string why = "answered " + std::to_string(response.status);
    if (object) {
        why += ": " + words(object->text("error").value_or("no access_token"));
        if (const auto more = object->text("error_description")) why += ": " + words(*more);
    }
    failed(std::move(why), response, now);
}

void AccessToken::failed(std::string why, const Response &response, std::int64_t now) {
    why_ = std::move(why);
    const std::int64_t pause = std::min<std::int64_t>(std::int64_t{1} << std::min(failures_++, 10), kLongestPause);
    ask_at_ = now + std::max(pause, retry_after_ms(response, now).value_or(0) / 1000);
}

void AccessToken::refuse(std::string_view token) {
    if (token != token_) return;
    token_.clear();
    ask_at_ = 0;
}

std::optional<Outcome> AccessToken::failure(std::int64_t now) const {
    if (get(now) != nullptr || asked_ || why_.empty() || now >= ask_at_) return std::nullopt;
    return retry("no access token from the OAuth server: " + why_, (ask_at_ - now) * 1000);
}

}  // namespace pulse::queue
