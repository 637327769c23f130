// The loop's promises to its users, on the real libuv.
#include "loop/loop.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>
#include <thread>

#include "loop/wheel.hpp"

namespace bridge::loop {
namespace {

using namespace std::chrono_literals;

struct Pipe {
    Pipe() { EXPECT_EQ(pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC), 0); }
    ~Pipe() {
        close(ends[0]);
        close(ends[1]);
    }
    std::array<int, 2> ends{};
};

// A test that waits for something that never comes fails instead of hanging.
struct Deadline {
    explicit Deadline(Loop &loop) : timer(loop.timer()) {
        timer->once(5s, [&loop] {
            ADD_FAILURE() << "nothing happened";
            loop.stop();
        });
    }
    std::unique_ptr<Timer> timer;
};

TEST(Loop, PostRunsLaterAndFromAnyThread) {
    Loop loop;
    Deadline deadline(loop);
    int ran = 0;
    loop.post([&] { ++ran; });
    EXPECT_EQ(ran, 0);
    std::thread other([&] {
        loop.post([&] {
            ++ran;
            loop.stop();
        });
    });
    loop.run();
    other.join();
    EXPECT_EQ(ran, 2);
}

TEST(Loop, TheTurnEndHookSeesWhatTheTurnDid) {
    Loop loop;
    Deadline deadline(loop);
    int dirty = 0, flushed = 0;
    loop.at_turn_end([&] {
        flushed += dirty;
        dirty = 0;
        if (flushed == 3) loop.stop();
    });
    for (int i = 0; i < 3; ++i) loop.post([&] { ++dirty; });
    loop.run();
    EXPECT_EQ(flushed, 3);
}

TEST(Loop, WatchTellsOnlyWhatIsWanted) {
    Loop loop;
    Deadline deadline(loop);
    Pipe pipe;
    unsigned seen = 0;
    auto watch = loop.watch(pipe.ends[0], [&](unsigned events) {
        seen |= events;
        loop.stop();
    });
    ASSERT_EQ(write(pipe.ends[1], "x", 1), 1);
    for (int i = 0; i < 3; ++i) loop.run_once();
    EXPECT_EQ(seen, 0U);
    watch->want(kReadable);
    loop.run();
    EXPECT_EQ(seen, unsigned{kReadable});
}

TEST(Loop, AWatchMayBeDestroyedInItsOwnCallbackAndItsNumberUsedAgain) {
    Loop loop;
    Deadline deadline(loop);
    Pipe pipe;
    std::unique_ptr<Watch> watch;
    int calls = 0;
    std::function<void(unsigned)> callback = [&](unsigned) {
        ++calls;
        watch.reset();
        if (calls == 2) return loop.stop();
        watch = loop.watch(pipe.ends[0], callback);  // what libpq does: the same descriptor, another watch
        watch->want(kReadable);
    };
    watch = loop.watch(pipe.ends[0], callback);
    watch->want(kReadable);
    ASSERT_EQ(write(pipe.ends[1], "x", 1), 1);
    loop.run();
    EXPECT_EQ(calls, 2);
}

// A server that ends a session with a statement of ours unread: its last words are there, and the error behind them.
TEST(Loop, AWatchGoesOnAfterAnErrorUntilTheLastWordsAndTheEndAreRead) {
    Loop loop;
    Deadline deadline(loop);
    std::array<int, 2> ends{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    ASSERT_EQ(write(ends[0], "hello", 5), 5);
    ASSERT_EQ(write(ends[1], "bye", 3), 3);
    close(ends[1]);
    std::string read_so_far;
    bool failed = false;
    const auto watch = loop.watch(ends[0], [&](unsigned events) {
        failed = failed || (events & kFailed) != 0;
        char next = 0;
        if (read(ends[0], &next, 1) == 1) {
            read_so_far += next;
        } else {
            loop.stop();
        }
    });
    watch->want(kReadable);
    loop.run();
    EXPECT_TRUE(failed);
    EXPECT_EQ(read_so_far, "bye");
    close(ends[0]);
}

TEST(Loop, ATimerMayBeSetAnewOrDestroyedWhileItFires) {
    Loop loop;
    Deadline deadline(loop);
    auto again = loop.timer();
    auto gone = loop.timer();
    int fired = 0;
    again->once(1ms, [&] {
        ++fired;
        again->once(1ms, [&] {
            ++fired;
            loop.stop();
        });
    });
    gone->every(1ms, [&] { gone.reset(); });
    loop.run();
    EXPECT_EQ(fired, 2);
    EXPECT_EQ(gone, nullptr);
}

TEST(Loop, SignalsArriveAsCallbacks) {
    Loop loop;
    Deadline deadline(loop);
    int caught = 0;
    auto signal = loop.signal(SIGUSR1, [&](int number) {
        caught = number;
        loop.stop();
    });
    loop.post([] { std::raise(SIGUSR1); });
    loop.run();
    EXPECT_EQ(caught, SIGUSR1);
}

TEST(Loop, ResolvesALocalNameToAddressesAndSaysWhyItCannot) {
    Loop loop;
    Deadline deadline(loop);
    int answers = 0;
    std::vector<std::unique_ptr<Resolve>> waiting;
    const auto ask = [&](const std::string &host, bool there) {
        waiting.push_back(loop.resolve(host, [&, there](std::vector<std::string> addresses, const std::string &why) {
            EXPECT_EQ(!addresses.empty(), there) << why;
            EXPECT_EQ(why.empty(), there);
            if (++answers == 4) loop.stop();
        }));
    };
    ask("localhost", true);
    ask("localhost", true);  // shares the look-up
    ask("", false);
    ask(std::string(5000, 'x'), false);
    EXPECT_EQ(answers, 0);
    loop.run();
    EXPECT_EQ(answers, 4);
}

TEST(Loop, AResolveThatIsGoneIsNotCalled) {
    Loop loop;
    Deadline deadline(loop);
    std::unique_ptr<Resolve> first, second;
    first = loop.resolve("localhost", [&](std::vector<std::string>, const std::string &) {
        second.reset();  // waits for the same answer
        first.reset();   // is being called
        loop.stop();
    });
    second = loop.resolve("localhost", [](std::vector<std::string>, const std::string &) { ADD_FAILURE() << "it was gone"; });
    loop.run();
    first = loop.resolve("localhost", [](std::vector<std::string>, const std::string &) { ADD_FAILURE() << "it was gone"; });
    first.reset();
    while (Resolver::unanswered() > 0) loop.run_once();
}

TEST(WheelTimer, WakesTheLoopForTheNearestDeadline) {
    Loop loop;
    Deadline deadline(loop);
    WheelTimer wheel(loop);
    struct Alarm : Wheel::Entry {
        explicit Alarm(std::function<void()> f) : Entry([](Entry &entry) { static_cast<Alarm &>(entry).then(); }), then(std::move(f)) {}
        std::function<void()> then;
    };
    std::vector<int> order;
    Alarm late([&] {
        order.push_back(2);
        loop.stop();
    });
    Alarm early([&] { order.push_back(1); });
    const std::int64_t now = wheel.now();
    wheel.arm(late, now + 60);
    wheel.arm(early, now + 20);
    loop.run();
    EXPECT_EQ(order, (std::vector<int>{1, 2}));
    EXPECT_GE(wheel.now(), now + 60);
}

}  // namespace
}  // namespace bridge::loop
