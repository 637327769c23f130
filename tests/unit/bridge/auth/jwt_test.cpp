// Tokens: the good ones, and every known way of making a bad one look good.
#include "auth/jwt.hpp"

#include <openssl/pem.h>

#include <gmock/gmock.h>

#include "base/base64.hpp"
#include "base/json.hpp"
#include "signing.hpp"

namespace bridge::auth {
namespace {

using namespace std::chrono_literals;

const std::string kSecret = "0123456789abcdef0123456789abcdef";
constexpr std::int64_t kNow = 1'800'000'000;  // FakeClock's wall

std::string pem(EVP_PKEY *key) {
    BIO *out = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(out, key);
    char *data = nullptr;
    const long size = BIO_get_mem_data(out, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free(out);
    return text;
}

std::string unsigned_part(const std::string &header, const std::string &payload) {
    return base64::encode_url(header) + "." + base64::encode_url(payload);
}
std::string token_rs256(const std::string &payload, EVP_PKEY *key = rsa(), const std::string &header = R"({"alg":"RS256"})") {
    const std::string text = unsigned_part(header, payload);
    return text + "." + base64::encode_url(sign(key, EVP_sha256(), text));
}
std::string token_es256(const std::string &payload, EVP_PKEY *key = ec()) {
    const std::string text = unsigned_part(R"({"alg":"ES256"})", payload);
    return text + "." + base64::encode_url(raw_signature(sign(key, EVP_sha256(), text)));
}
std::string signed_hmac(const std::string &secret, const std::string &text) {
    EVP_PKEY *key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, nullptr, reinterpret_cast<const unsigned char *>(secret.data()), secret.size());
    std::string out = sign(key, EVP_sha256(), text);
    EVP_PKEY_free(key);
    return out;
}
std::string token_hs256(const std::string &payload, const std::string &header = R"({"alg":"HS256","typ":"JWT"})",
                        const std::string &secret = kSecret) {
    const std::string text = unsigned_part(header, payload);
    return text + "." + base64::encode_url(signed_hmac(secret, text));
}

std::string claims(const std::string &more = "", std::int64_t exp = kNow + 60) {
    return "{\"exp\":" + std::to_string(exp) + (more.empty() ? "" : ",") + more + "}";
}

struct JwtTest : testing::Test {
    FakeClock clock;
    Verifier verifier = with({});

    Verifier with(VerifyOptions options) {
        Verifier made(std::move(options), clock);
        EXPECT_TRUE(made.add_secret(kSecret));
        return made;
    }
    void good(const std::string &token) {
        const Verdict verdict = verifier.verify(token);
        EXPECT_TRUE(verdict) << reason(verdict.failure());
    }
    void bad(const std::string &token, Failure why) {
        const Verdict verdict = verifier.verify(token);
        ASSERT_FALSE(verdict) << token;
        EXPECT_EQ(reason(verdict.failure()), reason(why)) << token;
    }
};

using Jwt = JwtTest;

TEST_F(Jwt, AcceptsAllThreeAlgorithms) {
    ASSERT_TRUE(verifier.add_public_key(pem(rsa())));
    ASSERT_TRUE(verifier.add_public_key(pem(ec())));
    good(token_hs256(claims()));
    good(token_rs256(claims()));
    good(token_es256(claims()));
}

TEST_F(Jwt, Ed25519VerifiesEdDSA) {
    const Pair ed(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")), other(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    ASSERT_TRUE(verifier.add_public_key(pem(ed.get())));
    const auto token = [&](EVP_PKEY *key) {
        const std::string text = unsigned_part(R"({"alg":"EdDSA"})", claims());
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key);
        std::string out(64, '\0');
        std::size_t size = out.size();
        EVP_DigestSign(context, reinterpret_cast<unsigned char *>(out.data()), &size, reinterpret_cast<const unsigned char *>(text.data()),
                       text.size());
        EVP_MD_CTX_free(context);
        return text + "." + base64::encode_url(out);
    };
    good(token(ed.get()));
    bad(token(other.get()), Failure::signature);
    bad(token_es256(claims()), Failure::signature);
}

TEST_F(Jwt, GivesTheClaimsAsTheyWereSigned) {
    const std::string payload = R"({ "z":1.50, "userId":"u1","sub":"s1","jti":"j","exp":1800000060,"a":"é" })";
    const Verdict verdict = verifier.verify(token_hs256(payload));
    ASSERT_TRUE(verdict);
    EXPECT_EQ(verdict.claims()->json, payload);
    EXPECT_EQ(verdict.claims()->user_id, "u1");
    EXPECT_EQ(verdict.claims()->jti, "j");
    EXPECT_EQ(verdict.claims()->expires_at->time_since_epoch(), std::chrono::seconds(kNow + 60));
}

TEST_F(Jwt, UserIsUserIdElseSubElseNobody) {
    const auto user = [&](const std::string &more) { return verifier.verify(token_hs256(claims(more))).claims()->user_id; };
    EXPECT_EQ(user(R"("sub":"s1")"), "s1");
    EXPECT_EQ(user(R"("userId":null,"sub":"s1")"), "s1");
    EXPECT_EQ(user(R"("userId":"","sub":"s1")"), "s1");
    EXPECT_EQ(user(R"("userId":42)"), "42");
    EXPECT_EQ(user(""), "");
    bad(token_hs256(claims(R"("userId":{"a":1})")), Failure::malformed);
    bad(token_hs256(claims(R"("userId":1.5)")), Failure::malformed);
    bad(token_hs256(claims(R"("userId":"a\u0000b")")), Failure::malformed);
    bad(token_hs256(claims(R"("userId":")" + std::string(251, 'u') + "\"")), Failure::malformed);
}

TEST_F(Jwt, EveryChangedCharacterIsNoticed) {
    const std::string token = token_hs256(claims(R"("sub":"u")"));
    for (std::size_t i = 0; i < token.size(); ++i) {
        std::string changed = token;
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(verifier.verify(changed)) << i;
        EXPECT_FALSE(verifier.verify(token.substr(0, i))) << i;
    }
    bad(token + "A", Failure::signature);
    bad(token_hs256(claims(), R"({"alg":"HS256"})", "another secret, long enough"), Failure::signature);
}

TEST_F(Jwt, AlgNoneIsRefusedInEverySpelling) {
    for (const char *alg : {"none", "None", "NONE", "nOnE", "", "hs256", "HS512", "HS384", "RS512", "PS256", "EdDSA", "ES384"}) {
        const std::string text = unsigned_part(std::string(R"({"alg":")") + alg + "\"}", claims());
        bad(text + ".", Failure::signature);
        bad(text + "." + base64::encode_url(signed_hmac(kSecret, text)), Failure::signature);
    }
    bad(unsigned_part("{}", claims()) + ".", Failure::malformed);
    bad(token_hs256(claims(), R"({"alg":null})"), Failure::malformed);
    bad(token_hs256(claims(), R"({"alg":["HS256"]})"), Failure::malformed);
}

TEST_F(Jwt, APublicKeyIsNoHmacSecret) {
    Verifier only_rsa({}, clock);
    const std::string text = pem(rsa());
    ASSERT_TRUE(only_rsa.add_public_key(text));
    for (const std::string &secret : {text, text.substr(0, text.size() - 1), pem(ec())}) {
        const Verdict verdict = only_rsa.verify(token_hs256(claims(), R"({"alg":"HS256"})", secret));
        ASSERT_FALSE(verdict);
        EXPECT_EQ(verdict.failure(), Failure::signature);
    }
    EXPECT_TRUE(only_rsa.verify(token_rs256(claims())));
    EXPECT_FALSE(only_rsa.verify(token_hs256(claims())));
}

TEST_F(Jwt, TheTokenCannotChooseAnotherAlgorithmForAKey) {
    ASSERT_TRUE(verifier.add_public_key(pem(rsa())));
    ASSERT_TRUE(verifier.add_public_key(pem(ec())));
    bad(token_hs256(claims(), R"({"alg":"RS256"})"), Failure::signature);  // rightly signed with the secret
    bad(token_hs256(claims(), R"({"alg":"ES256"})"), Failure::signature);
    bad(token_rs256(claims(), rsa(), R"({"alg":"HS256"})"), Failure::signature);
    bad(token_rs256(claims(), rsa(), R"({"alg":"ES256"})"), Failure::signature);
}

TEST_F(Jwt, AKeyServesItsOwnAlgorithmOnly) {
    ASSERT_TRUE(verifier.add_public_key(pem(ec())));
    bad(token_rs256(claims()), Failure::signature);                              // no RSA key known
    bad(token_rs256(claims(), ec(), R"({"alg":"ES256"})"), Failure::signature);  // DER where r and s belong
    bad(token_rs256(claims(), ec(), R"({"alg":"RS256"})"), Failure::signature);
    const Pair other(EVP_EC_gen("P-256"));
    bad(token_es256(claims(), other.get()), Failure::signature);
    const std::string text = unsigned_part(R"({"alg":"ES256"})", claims());
    bad(text + "." + base64::encode_url(std::string(64, '\0')), Failure::signature);  // r = s = 0
    bad(text + "." + base64::encode_url(std::string(64, '\xff')), Failure::signature);
    bad(text + "." + base64::encode_url(std::string(63, '\1')), Failure::signature);
    bad(text + "." + base64::encode_url(""), Failure::signature);
}

TEST_F(Jwt, SeveralKeysOfAKindAreTried) {
    const Pair other(EVP_EC_gen("P-256"));
    ASSERT_TRUE(verifier.add_public_key(pem(other.get())));
    ASSERT_TRUE(verifier.add_public_key(pem(ec())));
    good(token_es256(claims()));
    good(token_es256(claims(), other.get()));
}

TEST_F(Jwt, TimesAreCheckedAtTheirEdges) {
    bad(token_hs256(claims("", kNow)), Failure::expired);
    bad(token_hs256(claims("", 0)), Failure::expired);
    good(token_hs256(claims("", kNow + 1)));
    bad(token_hs256(claims("\"nbf\":" + std::to_string(kNow + 1))), Failure::not_yet_valid);
    good(token_hs256(claims("\"nbf\":" + std::to_string(kNow))));
    good(token_hs256(claims("\"iat\":" + std::to_string(kNow + 60))));
    bad(token_hs256(claims("\"iat\":" + std::to_string(kNow + 61))), Failure::not_yet_valid);
    good(token_hs256(claims("", 253402300799LL * 1000)));  // milliseconds by mistake: far away, not overflown
    good(token_hs256(R"({"exp":1e300})"));
}

TEST_F(Jwt, ExpiryIsDemandedAndMustBeANumber) {
    for (const char *payload : {"{}", R"({"exp":null})", R"({"exp":"1900000000"})", R"({"exp":[1]})", R"({"exp":true})", R"({"exp":{}})"}) {
        bad(token_hs256(payload), Failure::malformed);
    }
    bad(token_hs256(R"({"exp":-5})"), Failure::expired);
    bad(token_hs256(claims(R"("nbf":"x")")), Failure::malformed);
}

TEST_F(Jwt, LeewayStretchesBothEnds) {
    VerifyOptions options;
    options.leeway = 10s;
    verifier = with(options);
    good(token_hs256(claims("", kNow - 9)));
    bad(token_hs256(claims("", kNow - 10)), Failure::expired);
    good(token_hs256(claims("\"nbf\":" + std::to_string(kNow + 10))));
    bad(token_hs256(claims("\"nbf\":" + std::to_string(kNow + 11))), Failure::not_yet_valid);
}

TEST_F(Jwt, ASessionOfATokenInsideTheLeewayLastsAsLongAsTheLeeway) {
    VerifyOptions options;
    options.leeway = 10s;
    verifier = with(options);
    const Verdict verdict = verifier.verify(token_hs256(claims("", kNow - 4)));
    ASSERT_TRUE(verdict);
    EXPECT_EQ(*verdict.claims()->expires_at - clock.wall(), 6s);
}

TEST_F(Jwt, ATokenForEverExpiresInTheFarFutureOfTheClock) {
    for (const char *exp : {"9999999999", "253402300799", "1e300"}) {
        const Verdict verdict = verifier.verify(token_hs256(std::string(R"({"exp":)") + exp + "}"));
        ASSERT_TRUE(verdict) << exp;
        EXPECT_GT(*verdict.claims()->expires_at, clock.wall()) << exp;
        EXPECT_GT(std::chrono::duration_cast<std::chrono::hours>(*verdict.claims()->expires_at - clock.wall()), 100 * 365 * 24h) << exp;
    }
}

TEST_F(Jwt, AudienceAndIssuerAreCheckedWhenConfigured) {
    good(token_hs256(claims(R"("aud":"x","iss":"y")")));
    VerifyOptions options;
    options.audience = "pulse";
    options.issuer = "me";
    verifier = with(options);
    good(token_hs256(claims(R"("aud":"pulse","iss":"me")")));
    good(token_hs256(claims(R"("aud":["a","pulse"],"iss":"me")")));
    for (const char *aud : {R"("iss":"me")", R"("aud":"Pulse","iss":"me")", R"("aud":[],"iss":"me")", R"("aud":[["pulse"]],"iss":"me")",
                            R"("aud":{"pulse":1},"iss":"me")", R"("aud":null,"iss":"me")", R"("aud":"pulse ","iss":"me")"}) {
        bad(token_hs256(claims(aud)), Failure::audience);
    }
    for (const char *iss : {R"("aud":"pulse")", R"("aud":"pulse","iss":"you")", R"("aud":"pulse","iss":["me"])"}) {
        bad(token_hs256(claims(iss)), Failure::issuer);
    }
}

TEST_F(Jwt, DuplicateKeysAreRefusedInHeaderAndPayload) {
    bad(token_hs256(claims(), R"({"alg":"HS256","alg":"none"})"), Failure::malformed);
    bad(token_hs256(claims(), R"({"alg":"none","\u0061lg":"HS256"})"), Failure::malformed);
    bad(token_hs256(R"({"exp":1900000000,"sub":"a","sub":"b"})"), Failure::malformed);
    bad(token_hs256(R"({"exp":1900000000,"x":{"a":1,"a":2}})"), Failure::malformed);
}

TEST_F(Jwt, ExtensionsThatMustBeUnderstoodAreRefused) {
    bad(token_hs256(claims(), R"({"alg":"HS256","crit":["b64"],"b64":false})"), Failure::malformed);
    good(token_hs256(claims(), R"({"alg":"HS256","kid":"../../etc/passwd","jku":"https://evil","jwk":{}})"));
}

TEST_F(Jwt, ShapeAndSizeAreStrict) {
    const std::string token = token_hs256(claims());
    bad("", Failure::missing);
    for (const std::string &text : {std::string("a"), std::string("a.b"), std::string(".."), std::string("...."), token + ".", "." + token,
                                    token + ".x", " " + token, token + "\n", "Bearer " + token, token + "=", std::string("a.b.c.d.e")}) {
        bad(text, Failure::malformed);
    }
    bad(token_hs256(claims("\"x\":\"" + std::string(8192, 'x') + "\"")), Failure::malformed);
    bad(token_hs256("[1]"), Failure::malformed);
    bad(token_hs256("\"x\""), Failure::malformed);
    bad(token_hs256("{\"exp\":1900000000,\"x\":\"\xff\"}"), Failure::malformed);
    bad(token_hs256(claims("\"x\":" + std::string(40, '[') + std::string(40, ']'))), Failure::malformed);
    // the same bytes in the standard alphabet, or with stray bits in the last character
    std::string stray = token;
    static const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    stray.back() = alphabet[alphabet.find(stray.back()) + 1];
    bad(stray, Failure::malformed);
}

TEST_F(Jwt, WeakKeysAreRefusedAtStart) {
    Verifier fresh({}, clock);
    EXPECT_FALSE(fresh.add_secret(std::string(31, 's')));
    EXPECT_FALSE(fresh.add_public_key("no key"));
    EXPECT_FALSE(fresh.add_public_key(""));
    const Pair weak(EVP_RSA_gen(1024)), p384(EVP_EC_gen("P-384"));
    EXPECT_FALSE(fresh.add_public_key(pem(weak.get())));
    EXPECT_FALSE(fresh.add_public_key(pem(p384.get())));
    EXPECT_FALSE(fresh.has_keys());
    EXPECT_EQ(fresh.verify(token_hs256(claims())).failure(), Failure::signature);
}

TEST_F(Jwt, MintedTokensVerify) {
    const auto token = mint(claims(R"("userId":"u1")"), kSecret);
    ASSERT_TRUE(token);
    EXPECT_EQ(verifier.verify(*token).claims()->user_id, "u1");
    EXPECT_FALSE(mint("[]", kSecret));
    EXPECT_FALSE(mint("{}", std::string(31, 's')));
    EXPECT_TRUE(mint("{}", std::string(32, 's')));
    // RFC 7515, appendix A.1: known input, known output
    const std::string key = *base64::decode_url("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
    EXPECT_EQ(base64::encode_url(
                  signed_hmac(key, "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9"
                                   "leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ")),
              "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
}

TEST_F(Jwt, Rfc7515ExampleIsVerified) {
    Verifier rfc({}, clock);
    ASSERT_TRUE(
        rfc.add_secret(*base64::decode_url("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")));
    clock.set_wall(Clock::Wall(std::chrono::seconds(1300819379)));
    EXPECT_TRUE(
        rfc.verify("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9"
                   "pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
}

TEST_F(Jwt, ErrorsHaveCodeAndSentence) {
    EXPECT_EQ(Verdict(Failure::missing).error().code, Errc::unauthenticated);
    EXPECT_EQ(Verdict(Failure::expired).error().code, Errc::token_expired);
    EXPECT_EQ(Verdict(Failure::forbidden).error().code, Errc::forbidden);
    EXPECT_EQ(Verdict(Failure::signature).error().detail, "the token's signature is not valid");
    EXPECT_EQ(Verdict(Failure::signature).error().reason, "signature");
    EXPECT_EQ(Verdict(Failure::not_yet_valid).error().reason, "not_yet_valid");
}

TEST(ConstantTimeEqual, ComparesWholeTexts) {
    EXPECT_TRUE(constant_time_equal("", ""));
    EXPECT_TRUE(constant_time_equal("abc", "abc"));
    EXPECT_FALSE(constant_time_equal("abc", "abd"));
    EXPECT_FALSE(constant_time_equal("abc", "ab"));
}

}  // namespace
}  // namespace bridge::auth
