// E4, D7: forms as Twilio's Messages resource takes them, its answers, the signatures of its reports, and how a text is divided.
#include "queue/segments.hpp"
#include "queue/sign.hpp"
#include "queue/sms.hpp"

#include <gtest/gtest.h>

namespace pulse::queue::sms {
namespace {

Attempt attempt() {
    Attempt out;
    out.id = 17;
    return out;
}

const Provider kProvider{"https://api.example", {"AC1", "t0ken", "+14155550100", "", "", ""}};

std::string form_of(std::string_view args, const Provider &provider = kProvider, std::string_view status_url = "") {
    const Built built = build(attempt(), args, provider, status_url);
    return std::holds_alternative<Request>(built) ? std::get<Request>(built).body : "refused: " + std::get<Outcome>(built).error;
}

Response answer(int status, std::string body) {
    Response response;
    response.status = status;
    response.body = std::move(body);
    return response;
}

TEST(Sms, E4SendsAFormWithTheAccountsLogin) {
    const Built built = build(attempt(), R"({"to":"+919876543210","body":"a & b"})", kProvider, "");
    const Request &request = std::get<Request>(built);
    EXPECT_EQ(request.url, "https://api.example/2010-04-01/Accounts/AC1/Messages.json");
    EXPECT_EQ(request.body, "To=%2B919876543210&From=%2B14155550100&Body=a%20%26%20b");
    EXPECT_EQ(request.headers[1], "Authorization: Basic " + base64("AC1:t0ken"));
}

TEST(Sms, E4TheJobsSenderComesBeforeTheAccounts) {
    const Provider service{"u", {"AC1", "t", "+14155550100", "MG1", "", ""}};
    EXPECT_EQ(form_of(R"({"to":"+919876543210","body":"x"})", service), "To=%2B919876543210&MessagingServiceSid=MG1&Body=x");
    EXPECT_EQ(form_of(R"({"to":"+919876543210","body":"x","from":"pulse"})", service), "To=%2B919876543210&From=pulse&Body=x");
    EXPECT_EQ(form_of(R"({"to":"+919876543210","body":"x","messagingServiceSid":"MG2","validitySeconds":60})"),
              "To=%2B919876543210&MessagingServiceSid=MG2&Body=x&ValidityPeriod=60");
    const Built nobody = build(attempt(), R"({"to":"+919876543210","body":"x"})", {"u", {"AC1", "t", "", "", "", ""}}, "");
    EXPECT_EQ(std::get<Outcome>(nobody).what, Outcome::kRetry) << "the file may be mended";
}

TEST(Sms, E4ReportsAreAskedForWithTheJobsId) {
    EXPECT_EQ(form_of(R"({"to":"+919876543210","body":"x"})", kProvider, "https://a/s"),
              "To=%2B919876543210&From=%2B14155550100&Body=x&StatusCallback=https%3A%2F%2Fa%2Fs%3Fjob%3D17");
    EXPECT_NE(form_of(R"({"to":"+919876543210","body":"x"})", kProvider, "https://a/s?k=1").find("k%3D1%26job%3D17"), std::string::npos);
}

TEST(Sms, E4AnApiKeyLogsInInsteadOfTheAccount) {
    const Built built = build(attempt(), R"({"to":"+919876543210","body":"x"})", {"u", {"AC1", "t", "+1", "", "SK1", "s3"}}, "");
    EXPECT_EQ(std::get<Request>(built).headers[1], "Authorization: Basic " + base64("SK1:s3"));
}

TEST(Sms, E4NumbersAreE164) {
    for (const char *good : {"+14155550123", "+919876543210", "+2901234", "+123456789012345"}) EXPECT_TRUE(is_number(good)) << good;
    for (const char *bad :
         {"", "14155550123", "+04155550123", "+123456", "+1234567890123456", "+1 415 555 0123", "+1415555O123", "0049170123456"})
        EXPECT_FALSE(is_number(bad)) << bad;
    const Built built = build(attempt(), R"({"to":"0170 123456","body":"x"})", kProvider, "");
    EXPECT_EQ(std::get<Outcome>(built).what, Outcome::kDiscard);
}

TEST(Sms, E4ArgumentsThatCannotBeSentAreRefusedForGood) {
    const std::string longest = R"({"to":"+919876543210","body":")";
    EXPECT_TRUE(std::holds_alternative<Request>(build(attempt(), longest + std::string(1600, 'x') + "\"}", kProvider, "")));
    for (const std::string &args :
         {longest + std::string(1601, 'x') + "\"}", std::string(R"({"to":"+919876543210"})"), std::string("[]"),
          std::string(R"({"to":"+919876543210","body":""})"), std::string(R"({"to":"+919876543210","body":"x","From":"y"})"),
          std::string(R"({"to":"+919876543210","body":"x","validitySeconds":0})")}) {
        const Built built = build(attempt(), args, kProvider, "");
        ASSERT_TRUE(std::holds_alternative<Outcome>(built)) << args;
        EXPECT_EQ(std::get<Outcome>(built).what, Outcome::kDiscard);
    }
}

TEST(Sms, E4JudgesAnswers) {
    const std::string args = R"({"to":"+919876543210","body":"grüße €"})";
    const Outcome good = judge(answer(201, R"({"sid":"SM1","status":"queued","num_segments":"1"})"), args, 0);
    EXPECT_EQ(good.what, Outcome::kCompleted);
    EXPECT_EQ(good.result_json, R"({"sid":"SM1","status":"queued","segments":1,"encoding":"GSM-7"})");
    EXPECT_EQ(judge(answer(201, R"({"sid":)"), args, 0).what, Outcome::kCompleted) << "to send it again would be to send it twice";
    const Outcome bad = judge(answer(400, R"({"code":21211,"message":"Invalid 'To'","status":400})"), args, 0);
    EXPECT_EQ(bad.what, Outcome::kDiscard);
    EXPECT_EQ(bad.error, "the SMS provider answered 400 with code 21211: Invalid 'To'");
    EXPECT_EQ(bad.result_json, R"({"errorCode":21211})");
    EXPECT_EQ(judge(answer(400, R"({"code":21606,"message":"not your number"})"), args, 0).what, Outcome::kRetry);
    EXPECT_EQ(judge(answer(401, R"({"code":20003})"), args, 0).what, Outcome::kRetry);
    EXPECT_EQ(judge(answer(429, R"({"code":20429})"), args, 0).what, Outcome::kRetry);
    EXPECT_EQ(judge(answer(503, ""), args, 0).what, Outcome::kRetry);
    EXPECT_EQ(judge(Response{}, args, 0).what, Outcome::kRetry);
}

TEST(Sms, E4AnotherProviderMayTakeWhatThisOneSurelyDidNotSend) {
    for (const int status : {401, 403, 404, 429, 500, 503}) EXPECT_TRUE(another_may(answer(status, ""))) << status;
    EXPECT_TRUE(another_may(answer(400, R"({"code":21408})"))) << "no right to send to that country";
    EXPECT_FALSE(another_may(answer(400, R"({"code":21211})"))) << "no such number anywhere";
    EXPECT_FALSE(another_may(answer(201, "")));
    Response none;
    EXPECT_TRUE(another_may(none)) << "it was never reached";
    none.sent = true;
    EXPECT_FALSE(another_may(none)) << "it may have taken it";
}

TEST(Sms, D7SignaturesOfReportsAreChecked) {
    // The example of the provider's documentation.
    const std::string form = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
    const std::string url = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const std::string signed_text = url + "CallSidCA1234567890ABCDECaller+14158675309Digits1234From+14158675309To+18005551212";
    const std::string signature = base64(hmac_sha1("12345", signed_text));
    EXPECT_TRUE(signature_matches("12345", url, form, signature));
    EXPECT_TRUE(signature_matches(
        "12345", url, "To=%2B18005551212&Digits=1234&Caller=%2B14158675309&From=%2B14158675309&CallSid=CA1234567890ABCDE", signature))
        << "in any order";
    EXPECT_FALSE(signature_matches("12346", url, form, signature));
    EXPECT_FALSE(signature_matches("12345", url + "&x=1", form, signature));
    EXPECT_FALSE(signature_matches("12345", url, form + "&a=b", signature));
    EXPECT_FALSE(signature_matches("", url, form, base64(hmac_sha1("", signed_text)))) << "nobody has an empty token";
    EXPECT_FALSE(signature_matches("12345", url, form, ""));
}

TEST(Sms, FormsAreParsedWhateverTheyAre) {
    EXPECT_EQ(parse_form("a=b+c&d=%41%zz%4&&e&=f"),
              (std::vector<std::pair<std::string, std::string>>{{"a", "b c"}, {"d", "A%zz%4"}, {"e", ""}, {"", "f"}}));
    EXPECT_TRUE(parse_form("").empty());
}

TEST(Segments, E4OfGsm7HaveTwiceThePlacesOfUcs2) {
    const auto count = [](const std::string &text) { return segments(text).count; };
    EXPECT_EQ(count(""), 0);
    EXPECT_EQ(count(std::string(160, 'a')), 1);
    EXPECT_EQ(count(std::string(161, 'a')), 2);
    EXPECT_EQ(count(std::string(306, 'a')), 2);
    EXPECT_EQ(count(std::string(307, 'a')), 3);
    EXPECT_TRUE(segments("grüße @ £ € {}").gsm7);
    EXPECT_FALSE(segments("रक्त").gsm7);
    std::string hindi;
    for (int n = 0; n < 70; ++n) hindi += "र";
    EXPECT_EQ(count(hindi), 1);
    EXPECT_EQ(count(hindi + "र"), 2);
    EXPECT_FALSE(segments("a`b").gsm7) << "a backtick is in no GSM alphabet";
}

TEST(Segments, E4NeverEndWithinACharacter) {
    std::string euros;
    for (int n = 0; n < 80; ++n) euros += "€";  // two places each
    EXPECT_EQ(segments(euros).count, 1);
    EXPECT_EQ(segments(euros + "a").count, 2);
    // 153 places: 76 euros and one place that stays empty.
    for (int n = 80; n < 152; ++n) euros += "€";
    EXPECT_EQ(segments(euros).count, 2);
    EXPECT_EQ(segments(euros + "€").count, 3);
    std::string smiles;
    for (int n = 0; n < 66; ++n) smiles += "😀";  // two code units each: 33 a part of 67
    EXPECT_EQ(segments(smiles).count, 2);
    EXPECT_EQ(segments(smiles + "😀").count, 3);
    EXPECT_EQ(segments(smiles).characters, 132);
}

}  // namespace
}  // namespace pulse::queue::sms
