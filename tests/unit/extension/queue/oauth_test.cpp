// E4: the access token of a service account; files of secrets.
#include "queue/oauth.hpp"
#include "queue/object.hpp"
#include "queue/sign.hpp"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

namespace pulse::queue {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;

EVP_PKEY *key() {
    static EVP_PKEY *made = EVP_RSA_gen(2048);
    return made;
}

std::string pem(EVP_PKEY *of) {
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, of, nullptr, nullptr, 0, nullptr, nullptr);
    char *text = nullptr;
    const long size = BIO_get_mem_data(bio, &text);
    std::string out(text, static_cast<std::size_t>(size));
    BIO_free(bio);
    return out;
}

ServiceAccount account() { return {"p", "svc@p.iam", "k1", pem(key()), "https://oauth.example/token"}; }

Response answer(int status, std::string body, std::optional<std::string> retry_after = {}) {
    Response response;
    response.status = status;
    response.body = std::move(body);
    response.retry_after = std::move(retry_after);
    return response;
}

Response good(const std::string &token, int life = 3600) {
    return answer(200, R"({"access_token":")" + token + R"(","expires_in":)" + std::to_string(life) + R"(,"token_type":"Bearer"})");
}

bool verified(const std::string &text, const std::string &signature) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, key());
    const bool same = EVP_DigestVerify(context, reinterpret_cast<const unsigned char *>(signature.data()), signature.size(),
                                       reinterpret_cast<const unsigned char *>(text.data()), text.size()) == 1;
    EVP_MD_CTX_free(context);
    return same;
}

TEST(OAuth, E4TheGrantIsAJwtThatTheAccountsKeySigned) {
    AccessToken token;
    token.use(account(), "");
    const Request request = token.grant(kNow);
    EXPECT_EQ(request.url, "https://oauth.example/token");
    constexpr std::string_view kStart = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    ASSERT_TRUE(request.body.starts_with(kStart));
    const std::string jwt = request.body.substr(kStart.size());
    const std::size_t first = jwt.find('.'), second = jwt.rfind('.');
    EXPECT_TRUE(verified(jwt.substr(0, second), base64_decoded(jwt.substr(second + 1)).value()));
    EXPECT_EQ(base64_decoded(jwt.substr(0, first)), R"({"alg":"RS256","typ":"JWT","kid":"k1"})");
    const auto claims = Object::parse(base64_decoded(jwt.substr(first + 1, second - first - 1)).value());
    ASSERT_TRUE(claims);
    EXPECT_EQ(claims->text("iss"), "svc@p.iam");
    EXPECT_EQ(claims->text("aud"), "https://oauth.example/token");
    EXPECT_EQ(claims->text("scope"), "https://www.googleapis.com/auth/firebase.messaging");
    EXPECT_EQ(claims->whole("iat"), kNow);
    EXPECT_EQ(claims->whole("exp"), kNow + 3600);
}

TEST(OAuth, E4OneTokenServesUntilShortlyBeforeItEnds) {
    AccessToken token;
    EXPECT_FALSE(token.wanted(kNow)) << "there is no account";
    token.use(account(), "https://other.example/token");
    EXPECT_TRUE(token.wanted(kNow));
    EXPECT_EQ(token.grant(kNow).url, "https://other.example/token");
    EXPECT_FALSE(token.wanted(kNow)) << "asked already";
    token.answer(good("a"), kNow);
    ASSERT_NE(token.get(kNow), nullptr);
    EXPECT_EQ(*token.get(kNow + 3299), "a");
    EXPECT_FALSE(token.wanted(kNow + 3299));
    EXPECT_TRUE(token.wanted(kNow + 3300));
    token.grant(kNow + 3300);
    EXPECT_EQ(*token.get(kNow + 3300), "a") << "it still serves while the next is on its way";
    token.answer(good("b"), kNow + 3301);
    EXPECT_EQ(*token.get(kNow + 3301), "b");
    EXPECT_EQ(token.get(kNow + 3301 + 3600), nullptr);
}

TEST(OAuth, E4ARefusedTokenIsAskedForAnewOnce) {
    AccessToken token;
    token.use(account(), "");
    token.grant(kNow);
    token.answer(good("a"), kNow);
    token.refuse("a");
    EXPECT_EQ(token.get(kNow), nullptr);
    EXPECT_TRUE(token.wanted(kNow));
    token.grant(kNow);
    token.answer(good("b"), kNow);
    token.refuse("a");  // another request that had gone out with the old one
    EXPECT_EQ(*token.get(kNow), "b");
}

TEST(OAuth, E4AFailedGrantIsTriedAgainAfterAWhile) {
    AccessToken token;
    token.use(account(), "");
    token.grant(kNow);
    token.answer(answer(400, R"({"error":"invalid_grant","error_description":"Invalid JWT Signature."})"), kNow);
    const auto failure = token.failure(kNow);
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->what, Outcome::kRetry);
    EXPECT_EQ(failure->error, "no access token from the OAuth server: answered 400: invalid_grant: Invalid JWT Signature.");
    EXPECT_EQ(failure->retry_after_ms, 1000);
    EXPECT_FALSE(token.wanted(kNow));
    EXPECT_TRUE(token.wanted(kNow + 1));
    EXPECT_FALSE(token.failure(kNow + 1)) << "now it is asked for";
    token.grant(kNow + 1);
    token.answer(answer(503, "", "20"), kNow + 1);
    EXPECT_EQ(token.failure(kNow + 1)->retry_after_ms, 20'000) << "as long as it says";
    token.grant(kNow + 30);
    token.answer(answer(200, "{}"), kNow + 30);
    EXPECT_EQ(token.failure(kNow + 30)->error, "no access token from the OAuth server: answered 200: no access_token");
    token.grant(kNow + 60);
    token.answer(answer(200, R"({"access_token":"a\r\nb: c","expires_in":1})"), kNow + 60);
    EXPECT_EQ(token.get(kNow + 60), nullptr) << "a token that would be another header";
}

TEST(OAuth, E4AFailedRefreshLeavesTheOldTokenInUse) {
    AccessToken token;
    token.use(account(), "");
    token.grant(kNow);
    token.answer(good("a"), kNow);
    token.grant(kNow + 3300);
    token.answer(answer(503, ""), kNow + 3300);
    EXPECT_EQ(*token.get(kNow + 3300), "a");
    EXPECT_FALSE(token.failure(kNow + 3300));
}

TEST(OAuth, E4AnotherAccountBeginsAgain) {
    AccessToken token;
    token.use(account(), "");
    const unsigned before = token.generation();
    token.grant(kNow);
    token.answer(good("a"), kNow);
    token.use(account(), "");
    EXPECT_EQ(token.generation(), before) << "the same";
    EXPECT_NE(token.get(kNow), nullptr);
    ServiceAccount other = account();
    other.email = "x";
    token.use(other, "");
    EXPECT_NE(token.generation(), before);
    EXPECT_EQ(token.get(kNow), nullptr);
    token.forget_account();
    EXPECT_FALSE(token.wanted(kNow));
}

TEST(Secrets, E4ServiceAccountsAreReadOrRefusedWithoutQuotingThem) {
    const std::string file = Object()
                                 .put_text("type", "service_account")
                                 .put_text("project_id", "p")
                                 .put_text("client_email", "svc@p.iam")
                                 .put_text("private_key_id", "k1")
                                 .put_text("private_key", pem(key()))
                                 .put_text("token_uri", "https://oauth.example/token")
                                 .json();
    EXPECT_EQ(std::get<ServiceAccount>(parse_service_account(file + "\n")), account());
    EVP_PKEY *curve = EVP_EC_gen("P-256");
    for (const std::string &bad :
         {std::string(""), std::string("{}"), std::string("s3cret"),
          Object().put_text("project_id", "p").put_text("client_email", "e").put_text("private_key", "s3cret").json(),
          Object().put_text("project_id", "p").put_text("client_email", "e").put_text("private_key", pem(curve)).json()}) {
        const auto parsed = parse_service_account(bad);
        ASSERT_TRUE(std::holds_alternative<std::string>(parsed)) << bad;
        EXPECT_EQ(std::get<std::string>(parsed).find("s3cret"), std::string::npos);
    }
    EVP_PKEY_free(curve);
}

TEST(Secrets, E4SmsAccountsAndWebhookSecretsAreReadOrRefused) {
    const auto sms = parse_sms_account(R"({"accountSid":"AC1","authToken":"t","from":"+1"})");
    EXPECT_EQ(std::get<SmsAccount>(sms), (SmsAccount{"AC1", "t", "+1", "", "", ""}));
    for (const char *bad : {"", "AC1:t", "{}", R"({"accountSid":"AC1"})", R"({"accountSid":"a/b","authToken":"t"})",
                            R"({"accountSid":"AC1","authToken":"t","apiKey":"k"})"})
        EXPECT_TRUE(std::holds_alternative<std::string>(parse_sms_account(bad))) << bad;

    const auto lines = parse_webhook_secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n\n 0123456789abcdef \r\n");
    EXPECT_EQ(std::get<WebhookSecrets>(lines).keys,
              (std::vector<std::string>{base64_decoded("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").value(), "0123456789abcdef"}));
    for (const char *bad : {"", "short", "whsec_!!!", "{", R"({"secrets":["short"]})", R"({"hosts":[]})", R"({"hosts":{"a":1}})",
                            R"({"hosts":{"a":{"headers":{"A":"b\nc"}}}})", R"({"hosts":{"a":{"headers":{"A":1}}}})"})
        EXPECT_TRUE(std::holds_alternative<std::string>(parse_webhook_secrets(bad))) << bad;
}

TEST(Sign, Base64IsThatOfRfc4648) {
    for (const auto &[bytes, text] : {std::pair{"", ""},
                                      {"f", "Zg=="},
                                      {"fo", "Zm8="},
                                      {"foo", "Zm9v"},
                                      {"foob", "Zm9vYg=="},
                                      {"fooba", "Zm9vYmE="},
                                      {"foobar", "Zm9vYmFy"}}) {
        EXPECT_EQ(base64(bytes), text);
        EXPECT_EQ(base64_decoded(text), bytes);
    }
    EXPECT_EQ(base64_url("\xFB\xFF"), "-_8");
    EXPECT_EQ(base64_decoded("-_8"), "\xFB\xFF");
    EXPECT_FALSE(base64_decoded("A"));
    EXPECT_FALSE(base64_decoded("Zm 9v"));
}

}  // namespace
}  // namespace pulse::queue
