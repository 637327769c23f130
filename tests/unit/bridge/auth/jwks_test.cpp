// Key sets: what is taken from one, what is not, and which key a token may be checked with.
#include "auth/jwks.hpp"

#include <openssl/core_names.h>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "auth/jwt.hpp"
#include "base/base64.hpp"
#include "base/json.hpp"
#include "signing.hpp"

namespace bridge::auth {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kNow = 1'800'000'000;  // FakeClock's wall

EVP_PKEY *ed() {
    static const Pair key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    return key.get();
}

std::string number(EVP_PKEY *key, const char *name, int size = 0) {
    BIGNUM *value = nullptr;
    EXPECT_EQ(EVP_PKEY_get_bn_param(key, name, &value), 1);
    std::string out(static_cast<std::size_t>(size > 0 ? size : BN_num_bytes(value)), '\0');
    BN_bn2binpad(value, reinterpret_cast<unsigned char *>(out.data()), static_cast<int>(out.size()));
    BN_free(value);
    return base64::encode_url(out);
}
std::string with(std::string jwk, const std::string &more) {
    jwk.pop_back();
    return jwk + (more.empty() ? "" : "," + more) + "}";
}
std::string rsa_jwk(const std::string &more = "", EVP_PKEY *key = rsa()) {
    return with(R"({"kty":"RSA","n":")" + number(key, OSSL_PKEY_PARAM_RSA_N) + R"(","e":")" + number(key, OSSL_PKEY_PARAM_RSA_E) + "\"}",
                more);
}
std::string ec_jwk(const std::string &more = "", EVP_PKEY *key = ec(), const char *curve = "P-256", int size = 32) {
    return with(R"({"kty":"EC","crv":")" + std::string(curve) + R"(","x":")" + number(key, OSSL_PKEY_PARAM_EC_PUB_X, size) + R"(","y":")" +
                    number(key, OSSL_PKEY_PARAM_EC_PUB_Y, size) + "\"}",
                more);
}
std::string ed_jwk(const std::string &more = "") {
    std::string raw(32, '\0');
    std::size_t size = raw.size();
    EXPECT_EQ(EVP_PKEY_get_raw_public_key(ed(), reinterpret_cast<unsigned char *>(raw.data()), &size), 1);
    return with(R"({"kty":"OKP","crv":"Ed25519","x":")" + base64::encode_url(raw) + "\"}", more);
}
std::string set_of(const std::vector<std::string> &keys) {
    std::string out = R"({"keys":[)";
    for (const std::string &key : keys) out += (out.back() == '[' ? "" : ",") + key;
    return out + "]}";
}

// A token that names its key, unless kid is empty.
std::string token(const std::string &alg, const std::string &kid, EVP_PKEY *key) {
    const std::string header = R"({"alg":")" + alg + "\"" + (kid.empty() ? "" : R"(,"kid":")" + kid + "\"") + "}";
    const std::string text = base64::encode_url(header) + "." + base64::encode_url(R"({"exp":)" + std::to_string(kNow + 60) + "}");
    std::string signature = sign(key, alg == "EdDSA" ? nullptr : EVP_sha256(), text);
    if (alg == "ES256") signature = raw_signature(signature);
    return text + "." + base64::encode_url(signature);
}

std::vector<Key> keys(const std::vector<std::string> &jwks) {
    auto found = parse_jwks(set_of(jwks), Secrets::ignored);
    EXPECT_TRUE(found) << found.error().detail;
    return found ? std::move(found->keys) : std::vector<Key>();
}
std::string why(const std::string &jwk, Secrets secrets = Secrets::ignored) {
    const auto found = parse_jwks(set_of({jwk, ed_jwk()}), secrets);
    EXPECT_TRUE(found);
    return found && found->ignored.size() == 1 ? found->ignored.front() : "it was taken";
}

TEST(Jwks, KeysOfAllKindsVerifyTheirTokens) {
    const FakeClock clock;
    Verifier verifier({}, clock);
    EXPECT_FALSE(verifier.has_keys());
    verifier.expect_published();
    EXPECT_TRUE(verifier.has_keys());
    verifier.set_published(
        keys({rsa_jwk(R"("kid":"r","use":"sig","alg":"RS256")"), ec_jwk(R"("kid":"e","key_ops":["verify"])"), ed_jwk(R"("kid":"d")")}));
    EXPECT_TRUE(verifier.verify(token("RS256", "r", rsa())));
    EXPECT_TRUE(verifier.verify(token("ES256", "e", ec())));
    EXPECT_TRUE(verifier.verify(token("EdDSA", "d", ed())));
    EXPECT_TRUE(verifier.verify(token("EdDSA", "", ed()))) << "a token that names no key is tried with all of its algorithm";
    EXPECT_EQ(verifier.verify(token("RS256", "e", rsa())).failure(), Failure::signature) << "the name is another key's";
    const Pair curve(EVP_EC_gen("P-256"));
    EXPECT_EQ(verifier.verify(token("ES256", "e", curve.get())).failure(), Failure::signature);
    const Pair other(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    EXPECT_EQ(verifier.verify(token("EdDSA", "d", other.get())).failure(), Failure::signature);
}

TEST(Jwks, ANewSetReplacesTheOneBefore) {
    const FakeClock clock;
    Verifier verifier({}, clock);
    verifier.set_published(keys({ed_jwk(R"("kid":"1")")}));
    EXPECT_FALSE(verifier.lacks_key(token("EdDSA", "1", ed())));
    EXPECT_TRUE(verifier.lacks_key(token("ES256", "2", ec())));
    verifier.set_published(keys({ec_jwk(R"("kid":"2")")}));
    EXPECT_TRUE(verifier.verify(token("ES256", "2", ec())));
    EXPECT_EQ(verifier.verify(token("EdDSA", "1", ed())).failure(), Failure::signature);
}

TEST(Jwks, AKeyIsLackedOnlyByATokenThatNamesOneAndFitsNone) {
    const FakeClock clock;
    Verifier verifier({}, clock);
    verifier.set_published(keys({ed_jwk(R"("kid":"1")")}));
    const Pair other(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    EXPECT_FALSE(verifier.lacks_key(token("EdDSA", "1", other.get()))) << "a forgery, not a new key";
    EXPECT_FALSE(verifier.lacks_key(token("EdDSA", "", other.get())));
    EXPECT_FALSE(verifier.lacks_key("a.b.c"));
    EXPECT_FALSE(verifier.lacks_key(""));
    EXPECT_TRUE(verifier.lacks_key(token("EdDSA", "../../etc/passwd", ed())));
    EXPECT_TRUE(verifier.lacks_key(token("EdDSA", "' OR 1=1 --", ed())));
    std::string foreign = token("EdDSA", "2", ed());
    foreign.replace(0, foreign.find('.'), base64::encode_url(R"({"alg":"none","kid":"2"})"));
    EXPECT_FALSE(verifier.lacks_key(foreign)) << "no key is for that algorithm";
    auto own = Key::ed25519(json::parse(ed_jwk())->at("x").get<std::string>(), "");
    ASSERT_TRUE(own);
    verifier.set_keys({*own});
    EXPECT_FALSE(verifier.lacks_key(token("EdDSA", "2", ed()))) << "a key without a name is for it";
    EXPECT_TRUE(verifier.verify(token("EdDSA", "2", ed())));
}

TEST(Jwks, WhatCannotVerifyIsLeftOut) {
    EXPECT_THAT(why(rsa_jwk(R"("use":"enc")")), HasSubstr("not for signatures"));
    EXPECT_THAT(why(rsa_jwk(R"("use":7)")), HasSubstr("not for signatures"));
    EXPECT_THAT(why(rsa_jwk(R"("key_ops":["sign"])")), HasSubstr("not for signatures"));
    EXPECT_THAT(why(rsa_jwk(R"("kid":7)")), HasSubstr("kid"));
    EXPECT_THAT(why(rsa_jwk(R"("alg":"RS512")")), HasSubstr("not taken"));
    EXPECT_THAT(why(rsa_jwk(R"("alg":"HS256")")), HasSubstr("not that of its type"));
    EXPECT_THAT(why(ec_jwk(R"("alg":"RS256")")), HasSubstr("not that of its type"));
    EXPECT_THAT(why(R"({"kty":"RSA"})"), HasSubstr("RSA"));
    EXPECT_THAT(why(R"({"kty":"RSA","n":"AQAB","e":"AQAB"})"), HasSubstr("2048"));
    EXPECT_THAT(why(R"({"kty":"RSA","n":"not base64!","e":"AQAB"})"), HasSubstr("RSA"));
    EXPECT_THAT(why(R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})"), HasSubstr("P-256"));
    const std::string zeros = base64::encode_url(std::string(32, '\0')), ones = base64::encode_url(std::string(32, '\1'));
    EXPECT_THAT(why(R"({"kty":"EC","crv":"P-256","x":")" + ones + R"(","y":")" + zeros + "\"}"), HasSubstr("P-256"))
        << "no point of the curve";
    const Pair p384(EVP_EC_gen("P-384"));
    EXPECT_THAT(why(ec_jwk("", p384.get(), "P-384", 48)), HasSubstr("curve"));
    EXPECT_THAT(why(R"({"kty":"OKP","crv":"Ed25519","x":"AA"})"), HasSubstr("Ed25519"));
    EXPECT_THAT(why(R"({"kty":"OKP","crv":"Ed448","x":"AA"})"), HasSubstr("curve"));
    EXPECT_THAT(why("7"), HasSubstr("no JSON object"));
    const Pair weak(EVP_RSA_gen(1024));
    EXPECT_THAT(why(rsa_jwk("", weak.get())), HasSubstr("2048"));
}

TEST(Jwks, SecretsAreTakenFromFilesAlone) {
    const std::string secret = R"({"kty":"oct","alg":"HS512","kid":"s","k":")" + base64::encode_url(std::string(64, 's')) + "\"}";
    EXPECT_THAT(why(secret), HasSubstr("secret"));
    const auto found = parse_jwks(set_of({secret}), Secrets::taken);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->keys.front().algorithm(), Algorithm::hs512);
    EXPECT_THAT(why(R"({"kty":"oct","k":"AAAA"})", Secrets::taken), HasSubstr("algorithm"));
    EXPECT_THAT(why(R"({"kty":"oct","alg":"HS256","k":"AAAA"})", Secrets::taken), HasSubstr("32 bytes"));
    EXPECT_THAT(why(R"({"kty":"oct","alg":"RS256","k":")" + base64::encode_url(std::string(64, 's')) + "\"}", Secrets::taken),
                HasSubstr("HS256"));
}

TEST(Jwks, WhatIsNoSetIsRefused) {
    for (const char *text :
         {"", "{}", "[]", R"({"keys":{}})", R"({"keys":[]})", R"({"keys":[{}]})", R"({"keys":[],"keys":[]})", "<html>"}) {
        EXPECT_FALSE(parse_jwks(text, Secrets::ignored)) << text;
    }
    EXPECT_FALSE(parse_jwks(set_of({ed_jwk()}) + std::string(kMaxJwksBytes, ' '), Secrets::ignored));
    const auto many = parse_jwks(set_of(std::vector<std::string>(40, ed_jwk())), Secrets::ignored);
    ASSERT_TRUE(many);
    EXPECT_EQ(many->keys.size(), 32U);
    EXPECT_EQ(many->ignored.size(), 8U);
}

}  // namespace
}  // namespace bridge::auth
