// What providers, receivers and jobs say to the delivery channels. The first byte says who speaks; the rest is what they say.
#include "queue/deliveries.hpp"

#include "check.hpp"
#include "json/check.hpp"
#include "queue/segments.hpp"

using namespace pulse::queue;

namespace {

constexpr std::int64_t kNow = 1'800'000'000;

bool one_line(std::string_view text) {
    for (const char c : text)
        if (static_cast<unsigned char>(c) < ' ') return false;
    return true;
}

// What is kept must be words, and JSON that PostgreSQL takes.
void check(const Outcome &outcome) {
    CHECK(one_line(outcome.error));
    CHECK((outcome.what == Outcome::kCompleted) == outcome.error.empty());
    if (outcome.retry_after_ms) CHECK(*outcome.retry_after_ms >= 0);
    std::string compact;
    if (outcome.result_json) CHECK(!pulse::json::check(*outcome.result_json, compact));
}

void check(const Built &built) {
    if (const auto *outcome = std::get_if<Outcome>(&built)) return check(*outcome);
    for (const std::string &header : std::get<Request>(built).headers) CHECK(header.find_first_of("\r\n") == std::string::npos);
}

Response answer(std::string_view in) {
    Response response;
    if (in.size() < 2) return response;
    constexpr int kStatus[] = {0, 200, 201, 301, 400, 401, 403, 404, 410, 429, 500, 503};
    response.status = kStatus[static_cast<unsigned char>(in[0]) % std::size(kStatus)];
    response.whole = (in[1] & 1) != 0;
    if ((in[1] & 2) != 0) response.retry_after = in.substr(2);
    response.body = in.substr(2);
    response.failure = in.substr(2);
    return response;
}

void speak(char who, std::string_view in) {
    const Response response = answer(in);
    Attempt attempt;
    attempt.id = 1;
    switch (who) {
        case 0: check(fcm::judge(response, kNow)); break;
        case 1: check(sms::judge(response, in, kNow)); break;
        case 2: check(webhook::judge(response, {}, kNow)); break;
        case 3: {
            AccessToken token;
            token.use({"p", "e", "", "no key", "https://oauth.example"}, "");
            token.answer(response, kNow);
            if (const std::string *text = token.get(kNow)) CHECK(one_line(*text) && !text->empty());
            if (const auto failure = token.failure(kNow)) check(*failure);
            break;
        }
        case 4: check(fcm::build(in, {"https://fcm.example", "p", false}, "token", kNow)); break;
        case 5: check(sms::build(attempt, in, {"https://sms.example", {"AC1", "t", "+14155550100", "", "", ""}}, "https://a/b")); break;
        case 6: {
            const auto allow = AllowList::parse("*");
            const webhook::Order order = webhook::build(attempt, in, std::get<AllowList>(allow), {}, kNow);
            check(order.built);
            check(webhook::judge(response, order.terms, kNow));
            break;
        }
        case 7: {
            const auto url = webhook::parse_url(in);
            CHECK(!url ||
                  (url->port > 0 && url->port < 65536 && !url->host.empty() && url->host.find_first_of("@/\\ ") == std::string::npos));
            break;
        }
        case 8: {
            const auto list = AllowList::parse(in);
            if (const auto *allow = std::get_if<AllowList>(&list)) (void)allow->may_connect("a.example", 80, *parse_address("127.0.0.1"));
            break;
        }
        case 9: CHECK(!sms::signature_matches("token", "https://a/b", in, "no signature")); break;
        case 10: CHECK(segments(in).count >= 0); break;
        case 11:
            (void)parse_service_account(in);
            (void)parse_sms_account(in);
            (void)parse_webhook_secrets(in);
            break;
        default: break;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view in = text(data, size);
    if (!in.empty()) speak(static_cast<char>(static_cast<unsigned char>(in[0]) % 12), in.substr(1));
    return 0;
}
