// pulse.mint_token: a token as bridges with the same secret take it (HS256). By PostgreSQL's own HMAC, so the extension needs no
// OpenSSL. The secret is a file: as SQL text it would reach logs, pg_stat_activity and dumps. It is read at each call, so a new one
// counts at once.
#include "guc.hpp"
#include "json/base64.hpp"
#include "json/slice.hpp"
#include "pg/secret_file.hpp"
#include "pg/text.hpp"

#include <algorithm>

namespace pulse::auth {

namespace {

constexpr std::size_t kLeastSecret = 32, kMostSecret = 4096;  // the least is the bridge's, too: RFC 7518 §3.2
constexpr std::size_t kMostToken = 8192;                      // as are these two
constexpr int kMostDepth = 32;

// Messages do not name the path: whoever may mint need not know it.
std::string_view read_secret(pg::SecretFile &file) {
    constexpr const char *kSetting = "pulse.jwt_secret_file";
    constexpr const char *kHint = "It is a file with one secret of at least 32 bytes, which bridges have as PULSE_JWT_SECRET_FILE.";
    if (guc::jwt_secret_file == nullptr || *guc::jwt_secret_file == '\0')
        pg::fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                 std::string(kSetting) + " is not set, so there is no secret to sign a token with", {}, kHint);
    pg::read_secret_file(kSetting, guc::jwt_secret_file, file);
    if (!file.problem.empty())
        pg::fail(ERRCODE_CONFIG_FILE_ERROR, file.problem, {}, "It must be readable by the user that runs PostgreSQL.");
    std::string_view secret = file.text;
    if (secret.size() > kMostSecret)
        pg::fail(ERRCODE_CONFIG_FILE_ERROR, std::string("the file of ") + kSetting + " is longer than a secret", {}, kHint);
    while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.remove_suffix(1);  // what editors add
    if (secret.size() < kLeastSecret)
        pg::fail(ERRCODE_CONFIG_FILE_ERROR, std::string("the secret in the file of ") + kSetting + " is shorter than 32 bytes", {}, kHint);
    return secret;
}

std::string hmac_sha256(std::string_view secret, std::string_view text) {
    std::array<std::uint8_t, PG_SHA256_DIGEST_LENGTH> out{};
    const bool done = pg::call([&] {
        pg_hmac_ctx *context = pg_hmac_create(PG_SHA256);
        const bool good = context != nullptr &&
                          pg_hmac_init(context, reinterpret_cast<const std::uint8_t *>(secret.data()), secret.size()) >= 0 &&
                          pg_hmac_update(context, reinterpret_cast<const std::uint8_t *>(text.data()), text.size()) >= 0 &&
                          pg_hmac_final(context, out.data(), out.size()) >= 0;
        if (context != nullptr) pg_hmac_free(context);
        return good;
    });
    if (!done) pg::fail(ERRCODE_INTERNAL_ERROR, "the token could not be signed");
    return {reinterpret_cast<const char *>(out.data()), out.size()};
}

std::string random_id() {
    std::array<char, 16> bytes{};
    if (!pg_strong_random(bytes.data(), bytes.size())) pg::fail(ERRCODE_INTERNAL_ERROR, "no random bytes for the token's jti");
    return json::base64_url({bytes.data(), bytes.size()});
}

[[noreturn]] void refuse(const std::string &why) { pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "claims: " + why); }

// What every bridge would refuse to read is not signed.
void check(std::string_view value, int depth) {
    const json::Kind kind = json::kind(value);
    if (kind != json::Kind::kObject && kind != json::Kind::kArray) return;
    if (depth > kMostDepth) refuse("nested too deeply");
    if (kind == json::Kind::kArray) {
        const auto elements = json::elements(value);
        for (const std::string_view element : elements.value_or(std::vector<std::string_view>{})) check(element, depth + 1);
        return;
    }
    auto members = json::members(value).value_or(std::vector<json::Member>{});
    for (const json::Member &member : members) check(member.value, depth + 1);
    std::sort(members.begin(), members.end(), [](const json::Member &a, const json::Member &b) { return a.key < b.key; });
    const auto twice =
        std::adjacent_find(members.begin(), members.end(), [](const json::Member &a, const json::Member &b) { return a.key == b.key; });
    if (twice != members.end()) refuse("\"" + twice->key + "\" is there twice");
}

// Whether the claim is there; raises when it is of another type.
bool has(const std::vector<json::Member> &members, std::string_view name, json::Kind kind, const char *type) {
    const auto value = json::find(members, name);
    if (value && json::kind(*value) != kind) refuse("\"" + std::string(name) + "\" is no " + type);
    return value.has_value();
}

// The claims, with iat, exp and jti where they say nothing else.
std::string payload(std::string_view claims, Datum ttl) {
    if (json::kind(claims) != json::Kind::kObject) refuse("no JSON object");
    check(claims, 1);
    const auto members = json::members(claims).value_or(std::vector<json::Member>{});
    const TimestampTz now = GetCurrentTimestamp();
    const TimestampTz ends =
        pg::call([&] { return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(now), ttl)); });
    if (ends <= now || TIMESTAMP_NOT_FINITE(ends))
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "ttl is not positive", {}, "It is how long the token is good, from now on.");
    std::string out = json::compact(claims);
    out.pop_back();
    const auto add = [&out](const char *name, const std::string &value) {
        out.append(out.size() > 1 ? ",\"" : "\"").append(name).append("\":").append(value);
    };
    if (!has(members, "iat", json::Kind::kNumber, "number")) add("iat", std::to_string(timestamptz_to_time_t(now)));
    if (!has(members, "exp", json::Kind::kNumber, "number")) add("exp", std::to_string(timestamptz_to_time_t(ends)));
    if (!has(members, "jti", json::Kind::kString, "string")) add("jti", json::quoted(random_id()));
    has(members, "nbf", json::Kind::kNumber, "number");
    return out + '}';
}

}  // namespace

}  // namespace pulse::auth

using namespace pulse;

PULSE_FN(pulse_mint_token) {
    if (pg::arg_is_null(fcinfo, 0)) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "claims is null");
    if (pg::arg_is_null(fcinfo, 1)) pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, "ttl is null");
    pg::SecretFile file;
    const std::string_view secret = auth::read_secret(file);
    std::string token = json::base64_url(R"({"alg":"HS256","typ":"JWT"})") + '.' +
                        json::base64_url(auth::payload(json::trim(pg::view(pg::arg(fcinfo, 0))), pg::arg(fcinfo, 1)));
    token += '.' + json::base64_url(auth::hmac_sha256(secret, token));
    if (token.size() > auth::kMostToken)
        pg::fail(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "the token has " + std::to_string(token.size()) + " bytes", {},
                 "Bridges take up to 8192; put less into the claims.");
    return pg::text_datum(token);
}
