// Templates: parsing, rendering, and what is said about a wrong one.
#include "rows/template.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pulse::rows {
namespace {

Rendered text(std::string value) { return {false, true, std::move(value)}; }
Rendered json(std::string value) { return {false, false, std::move(value)}; }
const Rendered null;

std::optional<std::string> room(std::string_view source, std::vector<Rendered> values) {
    Placeholders placeholders;
    TextTemplate parsed;
    const auto problem = parse_text(source, placeholders, parsed);
    EXPECT_FALSE(problem) << problem->message;
    EXPECT_EQ(placeholders.all().size(), values.size());
    std::string out;
    if (!render_room(parsed, values, out)) return std::nullopt;
    return out;
}

std::string payload(std::string_view source, std::vector<Rendered> values) {
    Placeholders placeholders;
    JsonNode parsed;
    const auto problem = parse_payload(source, placeholders, parsed);
    EXPECT_FALSE(problem) << problem->message;
    EXPECT_EQ(placeholders.all().size(), values.size());
    std::string out;
    render_json(parsed, values, out);
    return out;
}

std::string problem_of_room(std::string_view source) {
    Placeholders placeholders;
    TextTemplate parsed;
    const auto problem = parse_text(source, placeholders, parsed);
    return problem ? problem->message : "";
}

std::string problem_of_payload(std::string_view source) {
    Placeholders placeholders;
    JsonNode parsed;
    const auto problem = parse_payload(source, placeholders, parsed);
    return problem ? problem->message : "";
}

TEST(TextTemplate, KnowsColumnsOfBothRowsAndEachOnce) {
    Placeholders placeholders;
    TextTemplate parsed;
    ASSERT_FALSE(parse_text("{id}:{old.id}:{new.id}:{id}:{id:text}:{old.new.x}", placeholders, parsed));
    EXPECT_THAT(placeholders.all(), testing::ElementsAre(Placeholder{RowOf::kCurrent, "id"}, Placeholder{RowOf::kOld, "id"},
                                                         Placeholder{RowOf::kNew, "id"}, Placeholder{RowOf::kOld, "new.x"}));
    EXPECT_EQ(placeholders.all()[1].written(), "{old.id}");
}

TEST(TextTemplate, EncodesValuesAndNotLiterals) {
    EXPECT_EQ(room("order:{id}:x%", {text("7:a%")}), "order:7%3Aa%25:x%");
    EXPECT_EQ(room("{{id}} {id}", {json("5")}), "{id} 5");
    EXPECT_EQ(room("plain", {}), "plain");
}

TEST(TextTemplate, ANullValueMeansNoRoom) {
    EXPECT_EQ(room("a:{x}", {null}), std::nullopt);
    EXPECT_EQ(room("a:{x}:{y}", {text("1"), null}), std::nullopt);
    EXPECT_EQ(room("a:{x}", {text("")}), "a:");
}

TEST(TextTemplate, SaysWhatIsWrong) {
    EXPECT_EQ(problem_of_room("a{"), "single \"{\" in the template \"a{\"");
    EXPECT_EQ(problem_of_room("a{id"), "single \"{\" in the template \"a{id\"");
    EXPECT_EQ(problem_of_room("a}"), "single \"}\" in the template \"a}\"");
    EXPECT_EQ(problem_of_room("{{id}"), "single \"}\" in the template \"{{id}\"");
    EXPECT_EQ(problem_of_room("{}"), "placeholder \"{}\" names no column");
    EXPECT_EQ(problem_of_room("{old.}"), "placeholder \"{old.}\" names no column");
    EXPECT_EQ(problem_of_room("{:text}"), "placeholder \"{:text}\" names no column");
    EXPECT_EQ(problem_of_room("{id:int}"), "unknown form \"int\" in the placeholder \"{id:int}\"");
}

TEST(PayloadTemplate, APlaceholderAloneIsTyped) {
    EXPECT_EQ(payload(R"({"n":"{n}","s":"{s}","j":"{j}","x":"{x}","t":"{n:text}"})", {json("1.50"), text("a\"b\n"), json("[1]"), null}),
              R"({"n":1.50,"s":"a\"b\n","j":[1],"x":null,"t":"1.50"})");
}

TEST(PayloadTemplate, MixedStringsAreConcatenatedAndEscaped) {
    EXPECT_EQ(payload(R"({"m":"#{n} \"{s}\" {{}} \u00e9"})", {json("5"), text("q\"\t\x1e")}), R"({"m":"#5 \"q\"\t\u001e\" {} \u00e9"})");
    EXPECT_EQ(payload(R"({"m":"a{x}"})", {null}), R"({"m":null})");
}

TEST(PayloadTemplate, AKeyWithAQuestionMarkIsLeftOutWhenNull) {
    EXPECT_EQ(payload(R"({"a?":"{x}","b?":"m{x}","c?":null,"d?":"{n}","e?":{"f?":"{x}"},"?":1})", {null, json("1")}),
              R"({"d":1,"e":{},"":1})");
}

TEST(PayloadTemplate, NestsAndKeepsWhatIsNoPlaceholder) {
    EXPECT_EQ(payload(R"( {"a": [1e5, true, null, "x", {"b": ["{n}"]}, []], "c": {} } )", {json("7")}),
              R"({"a":[1e5,true,null,"x",{"b":[7]},[]],"c":{}})");
    EXPECT_EQ(payload("{}", {}), "{}");
}

TEST(PayloadTemplate, EscapesInThePlaceholderAreOfTheColumnsName) {
    Placeholders placeholders;
    JsonNode parsed;
    ASSERT_FALSE(parse_payload(R"({"a":"{we\"ird \u00e9}","b":"\u007bid\u007d"})", placeholders, parsed));
    EXPECT_THAT(placeholders.all(), testing::ElementsAre(Placeholder{RowOf::kCurrent, "we\"ird é"}));
}

TEST(PayloadTemplate, SaysWhatIsWrong) {
    EXPECT_EQ(problem_of_payload("[1]"), "payload template is not a JSON object");
    EXPECT_EQ(problem_of_payload("{\"a\":}"), "payload template is not valid JSON: unexpected character in JSON at byte 5");
    EXPECT_EQ(problem_of_payload(R"({"a":["x{"]})"), "single \"{\" in the template \"x{\"");
    EXPECT_EQ(problem_of_payload(R"({"a":{"b":"{}"}})"), "placeholder \"{}\" names no column");
    EXPECT_EQ(problem_of_payload(R"({"a":"{\ud800}"})"), "placeholder \"{\\\\ud800}\" names no column");
}

}  // namespace
}  // namespace pulse::rows
