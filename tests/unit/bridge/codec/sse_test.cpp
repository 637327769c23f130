// The blocks of an event stream, read back by the rules of the HTML standard.
#include "codec/sse.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace bridge::codec::sse {
namespace {

using ::testing::ElementsAre;

struct Seen {
    std::string name, data, id;
    friend bool operator==(const Seen &, const Seen &) = default;
};

// What an EventSource dispatches, and the lastEventId it is left with.
std::vector<Seen> read(std::string_view text, std::string *last_id = nullptr) {
    std::vector<Seen> out;
    std::string name, data, id;
    bool any = false;
    while (!text.empty()) {
        const std::size_t end = text.find_first_of("\r\n");
        EXPECT_NE(end, std::string_view::npos) << "every line ends";
        if (end == std::string_view::npos) return out;
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end + (text.substr(end).starts_with("\r\n") ? 2 : 1));
        if (line.empty()) {
            if (any) out.push_back({name.empty() ? "message" : name, data.substr(0, data.size() - 1), id});
            name.clear();
            data.clear();
            any = false;
            continue;
        }
        const std::size_t colon = line.find(':');
        const std::string_view field = line.substr(0, colon);
        std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
        if (value.starts_with(' ')) value.remove_prefix(1);
        if (field == "event") name = value;
        if (field == "id") id = value;
        if (field == "data") {
            data.append(value).append("\n");
            any = true;
        }
    }
    if (last_id != nullptr) *last_id = id;
    return out;
}

TEST(SseCodec, M1AnEventHasItsNamePayloadAndCursor) {
    EXPECT_EQ(event({.name = R"("order:update")", .data = R"({"n":1})", .id = "9f:7"}),
              "id: 9f:7\nevent: order:update\ndata: {\"n\":1}\n\n");
    EXPECT_THAT(read(event({.name = R"("a \"b\" \u00e9")", .data = "null", .id = "e:1"})), ElementsAre(Seen{"a \"b\" é", "null", "e:1"}));
}

TEST(SseCodec, TheFirstBlockAndHeartbeatsMoveTheCursorWithoutAnEvent) {
    std::string id;
    EXPECT_THAT(read(hello(std::chrono::milliseconds(3000), "e:5"), &id), ElementsAre());
    EXPECT_EQ(id, "e:5");
    EXPECT_THAT(read(ping("e:9"), &id), ElementsAre());
    EXPECT_EQ(id, "e:9");
    EXPECT_EQ(ping(""), ": ping\n\n");
}

TEST(SseCodec, NewlinesNeverBreakOutOfTheirField) {
    for (const std::string newline : {"\n", "\r", "\r\n"}) {
        const std::string data = "{" + newline + "event: forged" + newline + newline + "id: 66" + newline + "}";
        EXPECT_THAT(read(event({.name = R"("e")", .data = data, .id = "e:1"})),
                    ElementsAre(Seen{"e", "{\nevent: forged\n\nid: 66\n}", "e:1"}));
    }
    EXPECT_THAT(read(event({.name = R"("a\r\nid: 66\n\ndata: x")", .data = "1", .id = "e:1"})),
                ElementsAre(Seen{"a  id: 66  data: x", "1", "e:1"}));
}

TEST(SseCodec, SaysThatAttachmentsAreLeftOut) {
    EXPECT_EQ(event({.name = R"("photo")", .data = "1", .id = "e:1", .without_attachments = true}),
              "id: e:1\nevent: photo\n: attachments omitted\ndata: 1\n\n");
}

TEST(SseCodec, MustRefetchAndErrorAreEventsOfTheirOwn) {
    EXPECT_THAT(read(must_refetch("expired", "e:9")), ElementsAre(Seen{"must-refetch", R"({"reason":"expired","position":"e:9"})", "e:9"}));
    EXPECT_THAT(read(error(Error{Errc::token_expired, "the token has expired"})),
                ElementsAre(Seen{"error", R"({"code":"unauthenticated","message":"the token has expired"})", ""}));
}

}  // namespace
}  // namespace bridge::codec::sse
