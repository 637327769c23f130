// What a trigger's arguments say about a job.
#include "queue/row_spec.hpp"

#include <gtest/gtest.h>

namespace pulse::queue {
namespace {

std::string hint_of(std::vector<std::string_view> arguments) {
    RowSpec spec;
    const auto problem = from_arguments(arguments, spec);
    return problem ? problem->hint : "";
}

std::string problem_of(std::vector<std::string_view> arguments) {
    RowSpec spec;
    const auto problem = from_arguments(arguments, spec);
    return problem ? problem->message : "";
}

TEST(RowSpec, ReadsEveryArgument) {
    const std::vector<std::string_view> arguments{
        "queue=mail",         "kind=sql",       "function=app.f",      "args={\"a\":\"b=c\"}", "priority=-3",
        "delay=5 min",        "max_attempts=7", "timeout=1 min",       "unique_key=k {id}",    "unique_mode=replace",
        "partition_key={id}", "on_end=app.g",   "where=status=open=1", "restored=skip"};
    RowSpec spec;
    ASSERT_FALSE(from_arguments(arguments, spec));
    EXPECT_EQ(spec.queue, "mail");
    EXPECT_EQ(spec.kind, "sql");
    EXPECT_EQ(spec.function, "app.f");
    EXPECT_EQ(spec.args, "{\"a\":\"b=c\"}");
    EXPECT_EQ(spec.priority, -3);
    EXPECT_EQ(spec.delay, "5 min");
    EXPECT_EQ(spec.max_attempts, 7);
    EXPECT_EQ(spec.timeout, "1 min");
    EXPECT_EQ(spec.unique_key, "k {id}");
    EXPECT_EQ(spec.unique_mode, "replace");
    EXPECT_EQ(spec.partition_key, "{id}");
    EXPECT_EQ(spec.on_end, "app.g");
    EXPECT_EQ(spec.where, (std::vector<std::pair<std::string, std::string>>{{"status", "open=1"}}));
    EXPECT_TRUE(spec.skips_restored);
}

TEST(RowSpec, LeavesTheDefaults) {
    const std::vector<std::string_view> arguments{"function=app.f", "queue=mail"};
    RowSpec spec;
    ASSERT_FALSE(from_arguments(arguments, spec));
    EXPECT_EQ(spec.kind, "sql");
    EXPECT_EQ(spec.timeout, "30 s");
    EXPECT_EQ(spec.unique_mode, "keep");
    EXPECT_EQ(spec.priority, 0);
    EXPECT_FALSE(spec.args || spec.delay || spec.max_attempts || spec.unique_key || spec.partition_key || spec.on_end ||
                 spec.skips_restored);
}

TEST(RowSpec, RefusesWhatCannotBe) {
    EXPECT_EQ(problem_of({"function=app.f"}), "pulse.enqueue_row needs a queue");
    EXPECT_EQ(problem_of({"queue=mail"}), "a job of kind sql needs a function");
    EXPECT_EQ(problem_of({"queue=mail", "kind=sms", "function=app.f"}), "a function is given, but the kind of job is \"sms\"");
    EXPECT_EQ(problem_of({"queue=mail", "function=app.f", "colour"}), "unknown argument \"colour\" of pulse.enqueue_row");
    EXPECT_EQ(problem_of({"queue=mail", "function=app.f", "priority=1.5"}), "priority \"1.5\" is no whole number");
    EXPECT_EQ(problem_of({"queue=mail", "function=app.f", "where==x"}), "where \"=x\" compares no column");
    EXPECT_EQ(problem_of({"queue=mail", "function=app.f", "where=status"}), "where \"status\" compares no column");
    EXPECT_EQ(problem_of({"queue=mail", "function=app.f", "restored=no"}), "unknown restored \"no\"");
    EXPECT_EQ(problem_of({"queue=mail", "function=app.f", "priority="}), "priority \"\" is no whole number");
    EXPECT_EQ(problem_of({"queue=mail", "function=app.f", "max_attempts=99999999999"}), "max_attempts \"99999999999\" is out of range");
    EXPECT_EQ(problem_of({"queue=mail", "function=app.f", "max_attempts=99999999999 h"}),
              "max_attempts \"99999999999 h\" is no whole number");
}

TEST(RowSpec, SaysWhichNumbersItTakes) {
    const std::string priorities = "It is a whole number from -2147483648 to 2147483647; smaller runs first.";
    for (const char *wrong : {"priority=x", "priority=", "priority=2147483648", "priority=-99999999999"})
        EXPECT_EQ(hint_of({"queue=mail", "function=app.f", wrong}), priorities) << wrong;
    EXPECT_EQ(hint_of({"queue=mail", "function=app.f", "max_attempts=x"}), "It is a whole number from 1 to 1000.");
    EXPECT_EQ(problem_of({"queue=mail", "function=app.f", "priority=-2147483648"}), "");
}

TEST(RowSpec, TakesAnArgumentOnce) {
    EXPECT_EQ(problem_of({"queue=a", "function=app.f", "queue=b"}), "argument \"queue\" is given twice");
    EXPECT_EQ(problem_of({"queue=a", "function=app.f", "restored=skip", "restored=skip"}), "argument \"restored\" is given twice");
    EXPECT_EQ(hint_of({"queue=a", "queue=a"}), "Give each argument once; only where=… may come again.");
    EXPECT_EQ(problem_of({"queue=a", "function=app.f", "where=a=1", "where=b=2"}), "");
}

}  // namespace
}  // namespace pulse::queue
