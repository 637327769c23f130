// E4, S6: requests to other people's servers, their signature, and which addresses may be reached.
#include "queue/sign.hpp"
#include "queue/webhook.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace pulse::queue::webhook {
namespace {

constexpr std::int64_t kNow = 1'614'265'330;

AllowList allow(std::string_view setting) { return std::get<AllowList>(AllowList::parse(setting)); }

Attempt attempt(std::int64_t id = 17) {
    Attempt out;
    out.id = id;
    return out;
}

Built make(std::string_view args, std::string_view setting = "*", const WebhookSecrets &secrets = {}) {
    return build(attempt(), args, allow(setting), secrets, kNow).built;
}

std::string refused(std::string_view args, std::string_view setting = "*") {
    const Built built = make(args, setting);
    if (std::holds_alternative<Request>(built)) return "";
    EXPECT_EQ(std::get<Outcome>(built).what, Outcome::kDiscard);
    return std::get<Outcome>(built).error;
}

std::string header(const Request &request, std::string_view name) {
    for (const std::string &line : request.headers)
        if (line.starts_with(std::string(name) + ": ")) return line.substr(name.size() + 2);
    return "";
}

TEST(Webhook, E4SendsWhatTheJobSays) {
    const Request request =
        std::get<Request>(make(R"({"url":"https://a.example/x?y=1","method":"PUT","headers":{"X-A":"b"},"body":{"k": [1, 2]}})"));
    EXPECT_EQ(request.url, "https://a.example/x?y=1");
    EXPECT_EQ(request.method, "PUT");
    EXPECT_EQ(request.body, R"({"k":[1,2]})");
    EXPECT_EQ(header(request, "X-A"), "b");
    EXPECT_EQ(header(request, "Content-Type"), "application/json");
    EXPECT_TRUE(request.guarded);
    const Request text = std::get<Request>(make(R"({"url":"http://a.example","text":"x","contentType":"text/csv"})"));
    EXPECT_EQ(text.body, "x");
    EXPECT_EQ(header(text, "Content-Type"), "text/csv");
    EXPECT_EQ(std::get<Request>(make(R"({"url":"http://a.example","method":"GET"})")).body, "");
}

TEST(Webhook, E4SignsIdTimeAndBodyWithEachSecret) {
    // The vector of Standard Webhooks' reference implementations, but for the id, which is the job's.
    const std::string key = base64_decoded("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").value();
    WebhookSecrets secrets;
    secrets.keys = {key, "another secret, at least 16"};
    const Request request = std::get<Request>(make(R"({"url":"http://a.example","body":{"test": 2432232314}})", "*", secrets));
    EXPECT_EQ(header(request, "webhook-id"), "job_17");
    EXPECT_EQ(header(request, "webhook-timestamp"), "1614265330");
    const std::string signed_text = R"(job_17.1614265330.{"test":2432232314})";
    EXPECT_EQ(header(request, "webhook-signature"),
              "v1," + base64(hmac_sha256(key, signed_text)) + " v1," + base64(hmac_sha256("another secret, at least 16", signed_text)));
    EXPECT_EQ(header(std::get<Request>(make(R"({"url":"http://a.example","sign":false})", "*", secrets)), "webhook-signature"), "");
    EXPECT_EQ(header(std::get<Request>(make(R"({"url":"http://a.example"})")), "webhook-signature"), "") << "there is no secret";
}

TEST(Webhook, TheSignaturesAreThoseOfStandardWebhooks) {
    const std::string key = base64_decoded("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").value();
    EXPECT_EQ(base64(hmac_sha256(key, R"(msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314})")),
              "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(Webhook, S6AHostsOwnHeadersAndSecretsComeFromTheFile) {
    const auto parsed =
        parse_webhook_secrets(R"({"secrets":["0123456789abcdef"],"hosts":{"sos.internal":{"headers":{"X-Internal-Token":"t0p"}},)"
                              R"("b.example:8443":{"secrets":["fedcba9876543210"]}}})");
    const auto &secrets = std::get<WebhookSecrets>(parsed);
    const Request request = std::get<Request>(make(R"({"url":"http://SOS.internal/internal/sos/7","method":"GET"})", "*", secrets));
    EXPECT_EQ(header(request, "X-Internal-Token"), "t0p");
    EXPECT_EQ(request.secrets, std::vector<std::string>{"t0p"});
    EXPECT_NE(header(request, "webhook-signature"), "") << "the common secret";
    const Request other = std::get<Request>(make(R"({"url":"https://b.example:8443/"})", "*", secrets));
    EXPECT_EQ(header(other, "webhook-signature"), "v1," + base64(hmac_sha256("fedcba9876543210", "job_17.1614265330.")));
    EXPECT_EQ(header(std::get<Request>(make(R"({"url":"https://b.example/"})", "*", secrets)), "X-Internal-Token"), "");
}

std::string token_of(const WebhookSecrets &secrets, std::string_view url, std::string_view kind = "webhook") {
    Attempt job = attempt();
    job.kind = kind;
    const std::string args = R"({"url":")" + std::string(url) + R"(","method":"GET"})";
    return header(std::get<Request>(build(job, args, allow("*, ::1"), secrets, kNow).built), "X-Internal-Token");
}

TEST(Webhook, S6AnOriginsHeadersGoNowhereElse) {
    const auto secrets = std::get<WebhookSecrets>(parse_webhook_secrets(
        R"({"hosts":{"https://SOS.internal":{"headers":{"X-Internal-Token":"tls"}},"http://sos.internal:8080":{"headers":{"X-Internal-Token":"8080"}},)"
        R"("http://[::1]:9":{"headers":{"X-Internal-Token":"six"}}}})"));
    EXPECT_EQ(token_of(secrets, "https://sos.internal/x"), "tls");
    EXPECT_EQ(token_of(secrets, "https://sos.INTERNAL:443/x"), "tls");
    EXPECT_EQ(token_of(secrets, "http://sos.internal:8080/x"), "8080");
    EXPECT_EQ(token_of(secrets, "http://[::1]:9/x"), "six");
    for (const char *url : {"http://sos.internal/x", "http://sos.internal:443/x", "https://sos.internal:8080/x",
                            "https://sos.internal.evil.example/x", "https://evil.example/sos.internal", "http://[::1]:90/x"})
        EXPECT_EQ(token_of(secrets, url), "") << url;
}

TEST(Webhook, S6AHostsHeadersCanBeForJobsOfCertainKinds) {
    const auto secrets = std::get<WebhookSecrets>(parse_webhook_secrets(
        R"({"secrets":["0123456789abcdef"],"hosts":{"sos":{"kinds":["sos_tell","sos_verify"],"headers":{"X-Internal-Token":"t"},"secrets":["fedcba9876543210"]}}})"));
    EXPECT_EQ(token_of(secrets, "http://sos/x", "sos_tell"), "t");
    EXPECT_EQ(token_of(secrets, "http://sos/x", "sos_verify"), "t");
    EXPECT_EQ(token_of(secrets, "http://sos/x"), "") << "whoever may enqueue a webhook";
    EXPECT_EQ(header(std::get<Request>(make(R"({"url":"http://sos/"})", "*", secrets)), "webhook-signature"),
              "v1," + base64(hmac_sha256("0123456789abcdef", "job_17.1614265330.")))
        << "nor is anything signed with its secret";

    const auto guarded = [&](std::string_view kind, std::string_view url) -> std::optional<bool> {
        Attempt job = attempt();
        job.kind = kind;
        const Built built = build(job, R"({"url":")" + std::string(url) + R"("})", allow("other"), secrets, kNow).built;
        return std::holds_alternative<Request>(built) ? std::optional(std::get<Request>(built).guarded) : std::nullopt;
    };
    EXPECT_EQ(guarded("sos_tell", "http://sos/"), false) << "the file leads there, whatever pulse.webhook_allow says";
    EXPECT_EQ(guarded("webhook", "http://sos/"), std::nullopt);
    EXPECT_EQ(guarded("sos_tell", "http://nowhere/"), std::nullopt);
    EXPECT_EQ(guarded("sos_tell", "http://other/"), true);
}

TEST(Webhook, S6AFileThatCannotBeUnderstoodIsNotUsedInPart) {
    for (const char *file :
         {R"({"hosts":{"http://sos/path":{}}})", R"({"hosts":{"u@sos":{}}})", R"({"hosts":{"":{}}})", R"({"hosts":{"https://":{}}})",
          R"({"hosts":{"https://sos:abc":{}}})", R"({"hosts":{"sos:":{}}})", R"({"hosts":{"sos:0":{}}})", R"({"hosts":{"sos:65536":{}}})",
          R"({"hosts":{"sos:1:2":{}}})", R"({"hosts":{"[::1":{}}})", R"({"hosts":{"ftp://sos":{}}})", R"({"hosts":{"s os":{}}})",
          R"({"hosts":[]})", R"({"hosts":{"sos":{"kinds":[]}}})", R"({"hosts":{"sos":{"kinds":"a"}}})",
          R"({"hosts":{"sos":{"kinds":[1]}}})"})
        EXPECT_TRUE(std::holds_alternative<std::string>(parse_webhook_secrets(file))) << file;
}

TEST(Webhook, S6AHostIsInTheFileOnce) {
    const auto entries = [](std::string_view one, std::string_view other) {
        return R"({"hosts":{")" + std::string(one) + R"(":{"secrets":["0123456789abcdef"]},")" + std::string(other) + R"(":{}}})";
    };
    for (const auto &[one, other] : {std::pair("SOS.internal", "sos.internal"),
                                     {"sos", "sos"},
                                     {"https://sos", "HTTPS://sos:443"},
                                     {"http://sos:80", "http://sos"},
                                     {"sos:8080", "sos:08080"},
                                     {"::1", "[::1]"},
                                     {"[0:0::1]:9", "[::1]:9"}})
        EXPECT_EQ(std::get<std::string>(parse_webhook_secrets(entries(one, other))), "two of its hosts are the same one")
            << one << " " << other;
    for (const auto &[one, other] : {std::pair("sos", "sos:80"),
                                     {"sos:443", "https://sos"},
                                     {"http://sos", "https://sos"},
                                     {"http://sos:443", "https://sos"},
                                     {"[::1]", "[::1]:80"}})
        EXPECT_EQ(std::get<WebhookSecrets>(parse_webhook_secrets(entries(one, other))).hosts.size(), 2U) << one << " " << other;
}

TEST(Webhook, S6HostsAreFoundHoweverTheyAreWritten) {
    const auto token = [](std::string_view host, std::string_view url) {
        const std::string file = R"({"hosts":{")" + std::string(host) + R"(":{"headers":{"X-Internal-Token":"t"}}}})";
        return token_of(std::get<WebhookSecrets>(parse_webhook_secrets(file)), url);
    };
    for (const auto &[host, url] : {std::pair("https://sos:0443", "https://sos/"),
                                    {"http://sos", "http://sos:80/"},
                                    {"sos:80", "http://sos/"},
                                    {"::1", "http://[::1]:7/"},
                                    {"[0::1]", "http://[::1]/"},
                                    {"[::1]", "http://[0:0::1]/"},
                                    {"https://[::1]", "https://[::1]:443/"}})
        EXPECT_EQ(token(host, url), "t") << host << " " << url;
    for (const auto &[host, url] :
         {std::pair("https://sos:0443", "https://sos:444/"), {"sos:80", "https://sos/"}, {"::1", "http://[::2]/"}})
        EXPECT_EQ(token(host, url), "") << host << " " << url;
}

TEST(Webhook, E4ArgumentsThatCannotBeSentAreRefusedForGood) {
    for (const char *args : {"[]",
                             "{}",
                             R"({"url":"http"})",
                             R"({"url":"https:/"})",
                             R"({"url":"ftp://a/"})",
                             R"({"url":"file:///etc/passwd"})",
                             R"({"url":"http://u:p@a.example/"})",
                             R"({"url":"http://a.example/\nx"})",
                             R"({"url":"http://a b/"})",
                             R"({"url":"http:///x"})",
                             R"({"url":"http://a.example:0/"})",
                             R"({"url":"http://a.example:99999/"})",
                             R"({"url":"http://a\\@b/"})",
                             R"({"url":"http://[::1/"})",
                             R"({"url":"http://[a]/"})",
                             R"({"url":"http://a%41/"})",
                             R"({"url":"http://a;b/"})",
                             R"({"url":"http://ⓐ.example/"})",
                             R"({"url":"http://a.example","method":"TRACE"})",
                             R"({"url":"http://a.example","headers":{"A":"b\r\nC: d"}})",
                             R"({"url":"http://a.example","headers":{"A b":"c"}})",
                             R"({"url":"http://a.example","headers":{"Host":"b"}})",
                             R"({"url":"http://a.example","headers":{"Content-LENGTH":"1"}})",
                             R"({"url":"http://a.example","headers":{"webhook-signature":"x"}})",
                             R"({"url":"http://a.example","method":"GET","body":1})",
                             R"({"url":"http://a.example","body":1,"text":"x"})",
                             R"({"url":"http://a.example","final":404})",
                             R"({"url":"http://a.example","final":["404"]})",
                             R"({"url":"http://a.example","final":[200]})",
                             R"({"url":"http://a.example","keep":65537})",
                             R"({"url":"http://a.example","keep":"all"})",
                             R"({"url":"http://a.example","verb":"GET"})"})
        EXPECT_NE(refused(args), "") << args;
}

TEST(Webhook, E4JudgesAnswers) {
    const auto outcome = [](int status, std::string body = "", bool whole = true) {
        Response response;
        response.status = status;
        response.body = std::move(body);
        response.whole = whole;
        return judge(response, {}, kNow);
    };
    EXPECT_EQ(outcome(200, "{\"ok\": true}").result_json, R"({"status":200,"body":{"ok":true}})");
    EXPECT_EQ(outcome(204).result_json, R"({"status":204,"body":null})");
    EXPECT_EQ(outcome(200, "{\"ok\": tr", false).result_json, R"({"status":200,"body":"{\"ok\": tr","cut":true})");
    EXPECT_EQ(outcome(301).what, Outcome::kRetry);
    EXPECT_EQ(outcome(301).error, "the receiver answered 301, and redirects are not followed");
    EXPECT_EQ(outcome(404).what, Outcome::kRetry);
    EXPECT_EQ(outcome(410).what, Outcome::kDiscard);
    EXPECT_EQ(outcome(500).what, Outcome::kRetry);
    EXPECT_EQ(outcome(0).what, Outcome::kRetry);
    Response refused;
    refused.refused = true;
    refused.failure = "it leads to 127.0.0.1";
    EXPECT_EQ(judge(refused, {}, kNow).what, Outcome::kDiscard);
}

TEST(Webhook, S6AJobSaysWhichAnswersAreFinalAndHowMuchIsKept) {
    const auto judged = [](const Response &response, const std::string &said) {
        const Order order = build(attempt(), R"({"url":"http://a.example")" + said + "}", allow("*"), {}, kNow);
        EXPECT_TRUE(std::holds_alternative<Request>(order.built)) << said;
        return judge(response, order.terms, kNow);
    };
    Response response;
    response.status = 404;
    const Outcome unknown = judged(response, R"(,"final":[404,503])");
    EXPECT_EQ(unknown.what, Outcome::kDiscard);
    EXPECT_EQ(unknown.result_json, R"({"status":404})");
    response.status = 503;
    EXPECT_EQ(judged(response, R"(,"final":[404,503])").what, Outcome::kDiscard);
    EXPECT_EQ(judged(response, R"(,"final":[404])").what, Outcome::kRetry);
    response.status = 0;
    EXPECT_EQ(judged(response, R"(,"final":[404])").what, Outcome::kRetry);

    response.status = 200;
    response.body = R"({"details":")" + std::string(5000, 'x') + R"("})";
    EXPECT_EQ(judged(response, R"(,"keep":65536)").result_json, R"({"status":200,"body":)" + response.body + "}");
    EXPECT_LT(judged(response, "").result_json->size(), 4200u);
    EXPECT_EQ(judged(response, R"(,"keep":0)").result_json->find("xxxx"), std::string::npos);
}

bool is_public_text(const char *text) {
    const auto address = parse_address(text);
    EXPECT_TRUE(address) << text;
    return address && is_public(*address);
}

TEST(Webhook, E4AddressesOfOursAndOfPrivateNetworksAreNotPublic) {
    for (const char *text : {"127.0.0.1",
                             "127.255.255.254",
                             "0.0.0.0",
                             "10.1.2.3",
                             "100.64.0.1",
                             "169.254.169.254",
                             "172.16.0.1",
                             "172.31.255.255",
                             "192.168.1.1",
                             "192.0.0.8",
                             "198.18.0.1",
                             "224.0.0.1",
                             "255.255.255.255",
                             "240.0.0.1",
                             "::",
                             "::1",
                             "fe80::1",
                             "fec0::1",
                             "fc00::1",
                             "fd12:3456::1",
                             "ff02::1",
                             "::ffff:127.0.0.1",
                             "::ffff:10.0.0.1",
                             "::ffff:a9fe:a9fe",
                             "::127.0.0.1",
                             "64:ff9b::7f00:1",
                             "2002:7f00:1::",
                             "2001:db8::1",
                             "2001::1",
                             "100::1",
                             "3fff::1"})
        EXPECT_FALSE(is_public_text(text)) << text;
    for (const char *text : {"8.8.8.8", "1.1.1.1", "172.32.0.1", "172.15.0.1", "11.0.0.1", "128.0.0.1", "2606:4700::1111",
                             "2a00:1450:4001::1", "::ffff:8.8.8.8", "[2606:4700::1111]"})
        EXPECT_TRUE(is_public_text(text)) << text;
    for (const char *text : {"", "a", "1.2.3", "0x7f.1", "2130706433", "0177.0.0.1", "::1%lo"}) EXPECT_FALSE(parse_address(text)) << text;
}

TEST(Webhook, E4OnlyWhatTheListNamesIsReached) {
    const auto at = [](const char *text) { return *parse_address(text); };
    const AllowList all = allow("*");
    EXPECT_TRUE(all.may_connect("a.example", 443, at("8.8.8.8")));
    EXPECT_FALSE(all.may_connect("a.example", 443, at("127.0.0.1"))) << "a name that leads to us";
    EXPECT_FALSE(allow("").may_ask("a.example", 443));
    EXPECT_FALSE(allow("").may_connect("a.example", 443, at("8.8.8.8")));

    const AllowList named = allow("api.example.org, *.partner.example, sos:8443, 10.0.0.0/8, ::1");
    EXPECT_TRUE(named.may_ask("API.example.org", 443));
    EXPECT_TRUE(named.may_ask("api.example.org.", 443));
    EXPECT_TRUE(named.may_connect("api.example.org", 443, at("127.0.0.1"))) << "named: wherever it leads";
    EXPECT_TRUE(named.may_ask("a.b.partner.example", 80));
    EXPECT_FALSE(named.may_connect("partner.example", 80, at("8.8.8.8")));
    EXPECT_FALSE(named.may_connect("evilpartner.example", 80, at("8.8.8.8")));
    EXPECT_TRUE(named.may_connect("sos", 8443, at("192.168.0.1")));
    EXPECT_FALSE(named.may_connect("sos", 8444, at("192.168.0.1")));
    EXPECT_TRUE(named.may_connect("any.name", 80, at("10.200.0.1")));
    EXPECT_FALSE(named.may_connect("any.name", 80, at("11.0.0.1")));
    EXPECT_TRUE(named.may_connect("localhost", 80, at("::1")));
    EXPECT_FALSE(named.may_ask("127.0.0.1", 80));
    EXPECT_TRUE(refused(R"({"url":"http://10.0.0.5/"})", "10.0.0.0/8").empty());
    EXPECT_NE(refused(R"({"url":"http://127.0.0.1/"})", "a.example").find("pulse.webhook_allow"), std::string::npos);
}

TEST(Webhook, ListsThatCannotBeReadAreRefused) {
    for (const char *text : {"a b/c", "10.0.0.0/33", "10.0.0.0/x", "::/129", "host:x", "host:70000", "http://a", "*.*", "a,*b"})
        EXPECT_TRUE(std::holds_alternative<std::string>(AllowList::parse(text))) << text;
}

}  // namespace
}  // namespace pulse::queue::webhook
