// Operations in words, and a watch as trigger arguments and back.
#include "publish/watch_spec.hpp"

#include <gtest/gtest.h>

namespace pulse::publish {
namespace {

unsigned operations(std::string_view text) {
    unsigned result = 0;
    const auto problem = parse_operations(text, result);
    EXPECT_FALSE(problem) << problem->message;
    return result;
}

std::string problem_of(std::string_view text) {
    unsigned result = 0;
    const auto problem = parse_operations(text, result);
    return problem ? problem->message : "";
}

TEST(Operations, InAnySpelling) {
    EXPECT_EQ(operations("insert"), kInsert);
    EXPECT_EQ(operations("insert or update"), kInsert | kUpdate);
    EXPECT_EQ(operations(" INSERT ,update,\tDelete or\ninsert "), kInsert | kUpdate | kDelete);
}

TEST(Operations, UnknownOnesAreNamed) {
    EXPECT_EQ(problem_of("truncate"), "unknown operation \"truncate\"");
    EXPECT_EQ(problem_of("insert update"), "unknown operation \"insert update\"");
    EXPECT_EQ(problem_of(""), "an operation is missing");
    EXPECT_EQ(problem_of("insert,,update"), "an operation is missing");
    EXPECT_EQ(problem_of("or"), "unknown operation \"or\"");
}

TEST(WatchSpec, GoesIntoArgumentsAndBack) {
    WatchSpec spec;
    spec.event = "a=b";
    spec.rooms = {"r:{id}", "x=y"};
    spec.payload = R"({"a":"="})";
    spec.channel = "c";
    spec.partition_key = "{id}";
    spec.columns = {"one", "two=2"};
    spec.warn = true;
    const std::vector<std::string> arguments = to_arguments(spec);
    const std::vector<std::string_view> views(arguments.begin(), arguments.end());
    WatchSpec back;
    ASSERT_FALSE(from_arguments(views, back));
    EXPECT_EQ(back.event, spec.event);
    EXPECT_EQ(back.rooms, spec.rooms);
    EXPECT_EQ(back.payload, spec.payload);
    EXPECT_EQ(back.channel, spec.channel);
    EXPECT_EQ(back.partition_key, spec.partition_key);
    EXPECT_EQ(back.columns, spec.columns);
    EXPECT_TRUE(back.warn);
}

TEST(WatchSpec, SaysWhatIsWrongWithArguments) {
    const auto problem = [](std::vector<std::string_view> arguments) {
        WatchSpec spec;
        const auto found = from_arguments(arguments, spec);
        return found ? found->message : "";
    };
    EXPECT_EQ(problem({}), "pulse.publish_trigger needs an event and a room");
    EXPECT_EQ(problem({"event=e"}), "pulse.publish_trigger needs an event and a room");
    EXPECT_EQ(problem({"event=e", "room=r", "rooms=x"}), "unknown argument \"rooms=x\" of pulse.publish_trigger");
    EXPECT_EQ(problem({"event=e", "room=r", "on_error=maybe"}), "unknown on_error \"maybe\"");
    EXPECT_EQ(problem({"event=e", "room=r"}), "");
}

}  // namespace
}  // namespace pulse::publish
