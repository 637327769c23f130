// Keys are taken one job at a time, by id, and a job that waits keeps its key.
#include "queue/keys.hpp"

#include <map>
#include <random>

#include <gtest/gtest.h>

namespace pulse::queue {
namespace {

constexpr std::int64_t kSecond = 1000 * 1000;
const KeyName k{"q", "k"};
const auto any = [](const std::string &) { return true; };

TEST(Keys, AnUnknownKeyIsToBeLookedAt) {
    Keys keys;
    EXPECT_TRUE(keys.seen(k, 5, 0));
    EXPECT_EQ(keys.size(), 0U) << "nothing is remembered of it";
}

TEST(Keys, WhileAJobRunsNobodyElseGetsTheKey) {
    Keys keys;
    keys.started(k, 5);
    EXPECT_FALSE(keys.seen(k, 6, 0));
    EXPECT_TRUE(keys.seen({"q", "other"}, 6, 0));
    EXPECT_TRUE(keys.seen({"other", "k"}, 6, 0));
    EXPECT_TRUE(keys.to_look_at(kSecond, 10, any).empty());
    keys.ended(k, 4);
    EXPECT_FALSE(keys.seen(k, 6, 0)) << "another job's end frees nothing";
    keys.ended(k, 5);
    const auto looks = keys.to_look_at(0, 10, any);
    ASSERT_EQ(looks.size(), 1U);
    EXPECT_EQ(looks[0].name, k);
    EXPECT_EQ(looks[0].from, 5) << "it may wait for another attempt itself";
    keys.looked(k, std::nullopt);
    EXPECT_EQ(keys.size(), 0U);
}

TEST(Keys, AHeadThatWaitsForLaterHoldsItsKey) {
    Keys keys;
    keys.looked(k, Keys::Head{5, 10 * kSecond});
    EXPECT_EQ(keys.next_look(any), 10 * kSecond);
    EXPECT_TRUE(keys.seen(k, 6, 0)) << "once: the head may be gone";
    EXPECT_FALSE(keys.seen(k, 7, kSecond / 2)) << "and then only now and then";
    EXPECT_EQ(keys.next_look(any), kSecond) << "but what was passed by is looked for soon";
    keys.looked(k, Keys::Head{5, 10 * kSecond});
    EXPECT_TRUE(keys.seen(k, 5, kSecond / 2)) << "but the head itself, or an earlier one, at once";
    EXPECT_TRUE(keys.seen(k, 8, 2 * kSecond));
    EXPECT_TRUE(keys.to_look_at(9 * kSecond, 10, any).empty());
    EXPECT_EQ(keys.to_look_at(10 * kSecond, 10, any).size(), 1U);
}

TEST(Keys, AnEarlierJobThatComesWhileALaterOneRunsIsNext) {
    Keys keys;
    keys.started(k, 5);
    EXPECT_FALSE(keys.seen(k, 3, 0)) << "it was committed later, or redriven";
    EXPECT_FALSE(keys.seen(k, 9, 0));
    keys.ended(k, 5);
    ASSERT_EQ(keys.to_look_at(0, 10, any).size(), 1U);
    EXPECT_EQ(keys.to_look_at(0, 10, any)[0].from, 3);
    keys.looked(k, Keys::Head{3, 0});
    EXPECT_EQ(keys.to_look_at(0, 10, any)[0].from, 3);
}

TEST(Keys, ClosedQueuesAreNotLookedAt) {
    Keys keys;
    keys.looked(k, Keys::Head{5, 0});
    const auto none = [](const std::string &) { return false; };
    EXPECT_TRUE(keys.to_look_at(1, 10, none).empty());
    EXPECT_EQ(keys.next_look(none), std::numeric_limits<std::int64_t>::max());
    keys.put_off(k, 77);
    EXPECT_EQ(keys.next_look(any), 77);
}

TEST(Keys, ThoseThatAreDueForLongestAreLookedAtFirst) {
    Keys keys;
    for (int n = 1; n <= 1000; ++n) keys.looked({"q", std::to_string(n)}, Keys::Head{n, (n * 7919) % 1000});
    keys.started({"q", "1000"}, 1000);  // that would be the first
    const auto looks = keys.to_look_at(500, 10, any);
    ASSERT_EQ(looks.size(), 10U);
    std::int64_t last = 0;
    for (const Keys::Look &look : looks) {
        EXPECT_GT(look.from * 7919 % 1000, last) << "and the one that runs is none of them";
        last = look.from * 7919 % 1000;
    }
    EXPECT_EQ(last, 10);
    EXPECT_EQ(keys.next_look(any), 1);
    for (int n = 1; n <= 1000; ++n) {
        keys.ended({"q", std::to_string(n)}, n);
        keys.looked({"q", std::to_string(n)}, std::nullopt);
    }
    EXPECT_EQ(keys.size(), 0U);
    EXPECT_EQ(keys.next_look(any), std::numeric_limits<std::int64_t>::max());
}

TEST(Keys, AClockThatIsSetBackHasAllThatAreFreeLookedAt) {
    Keys keys;
    constexpr std::int64_t kHour = 3600 * kSecond;
    keys.looked(k, Keys::Head{5, 2 * kHour});
    keys.started({"q", "runs"}, 7);
    EXPECT_TRUE(keys.seen(k, 6, kHour));
    keys.look_soon();
    ASSERT_EQ(keys.to_look_at(0, 10, any).size(), 1U);
    EXPECT_EQ(keys.to_look_at(0, 10, any)[0].name, k);
    keys.looked(k, Keys::Head{5, 2 * kHour});
    EXPECT_TRUE(keys.seen(k, 6, 0)) << "that it was asked an hour later is forgotten";
}

// Played against a table: jobs of a few keys come, run, fail and wait. Of a key one runs at a time, in the order of ids.
TEST(Keys, RunAllJobsOfAKeyInOrderOneAtATime) {
    struct Job {
        std::int64_t id, run_at;
        bool runs = false, passed = false;
    };
    std::mt19937_64 random(6);
    Keys keys;
    std::map<std::string, std::map<std::int64_t, Job>> table;
    std::map<std::string, std::int64_t> last;
    std::int64_t id = 0, done = 0, started = 0;
    const auto first_of = [&](const std::string &key, std::int64_t from) -> Job * {
        for (auto &[number, job] : table[key])
            if (number >= from && !job.runs) return &job;
        return nullptr;
    };
    const auto start = [&](const std::string &key, Job &job) {
        for (const auto &[number, other] : table[key]) ASSERT_FALSE(other.runs) << "two jobs of a key run";
        ASSERT_EQ(job.id, table[key].begin()->first) << "not the first";
        job.runs = true;
        ++started;
        keys.started({"q", key}, job.id);
    };
    for (std::int64_t now = 0; done < 2000; now += 1000) {
        ASSERT_LT(now, 400 * kSecond) << "a key is stuck";
        if (id < 2000 && random() % 2 == 0) {
            const std::string key(1, static_cast<char>('a' + random() % 3));
            table[key][id + 1] = {id + 1, now};
            ++id;
            // The lane sees it.
            if (keys.seen({"q", key}, id, now)) {
                Job *head = first_of(key, 0);
                keys.looked({"q", key}, Keys::Head{head->id, head->run_at});
                if (head->id == id) start(key, *head);
            }
        }
        for (auto &[key, jobs] : table)
            for (auto &[number, job] : jobs) {
                if (!job.runs || random() % 4 != 0) continue;
                keys.ended({"q", key}, number);
                if (random() % 5 == 0) {
                    job.runs = false;
                    job.run_at = now + static_cast<std::int64_t>(random() % 20000);
                } else {
                    ++done;
                    jobs.erase(number);
                }
                break;
            }
        for (const Keys::Look &look : keys.to_look_at(now, 10, any)) {
            Job *head = first_of(look.name.key, look.from);
            if (head == nullptr) {
                keys.looked(look.name, std::nullopt);
                continue;
            }
            keys.looked(look.name, Keys::Head{head->id, head->run_at});
            if (head->run_at <= now) start(look.name.key, *head);
        }
    }
    EXPECT_GE(started, 2000);
}

}  // namespace
}  // namespace pulse::queue
