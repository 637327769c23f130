// A stream against a real socket and a real loop: edges are not lost, and whoever is called may destroy it.
#include "net/stream.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "pair.hpp"

namespace bridge::net {
namespace {

class StreamTest : public testing::Test {
protected:
    loop::Loop loop;
    Recorder user;
    void run(int count = 6) { turns(loop, count); }
};

TEST_F(StreamTest, BytesGoBothWaysAndTheEndIsTold) {
    auto [stream, peer] = connect(loop);
    stream->use(user);
    peer.say("hello");
    run();
    EXPECT_EQ(user.heard, "hello");
    EXPECT_EQ(stream->write("good day"), Stream::Write::taken);
    EXPECT_EQ(peer.hear(), "good day");
    peer.say("last words");
    peer.finish();
    run();
    EXPECT_EQ(user.heard, "hellolast words");
    EXPECT_EQ(user.ends, 1);
    EXPECT_EQ(stream->write("still"), Stream::Write::taken);  // only one side is over
    EXPECT_EQ(peer.hear(), "still");
    run();
    EXPECT_EQ(user.ends, 1);
}

TEST_F(StreamTest, WhatCameBeforeItHadAUserIsNotLost) {
    auto [stream, peer] = connect(loop);
    peer.say("early");
    run();
    stream->use(user);
    run();
    EXPECT_EQ(user.heard, "early");
}

TEST_F(StreamTest, MoreThanOneReadAndMoreThanItsShareArriveWhole) {
    auto [stream, peer] = connect(loop);
    stream->use(user);
    std::string all;
    for (int n = 0; n < 8; ++n) {
        const std::string part(100'000, static_cast<char>('a' + n));
        all += part;
        peer.say(part);
        run(2);
    }
    run();
    EXPECT_EQ(user.heard, all);
}

TEST_F(StreamTest, APausedOneReadsNothingAndLosesNothing) {
    auto [stream, peer] = connect(loop);
    stream->use(user);
    user.on_received = [&s = *stream] { s.pause(); };
    peer.say("a");
    run();
    peer.say("b");
    run();
    EXPECT_EQ(user.heard, "a");
    stream->resume();
    EXPECT_EQ(user.heard, "a") << "never inside resume()";
    run();
    EXPECT_EQ(user.heard, "ab");
}

TEST_F(StreamTest, APausedOneHearsThatThePeerIsGoneForGood) {
    auto [stream, peer] = connect(loop);
    stream->use(user);
    stream->pause();
    peer.say("unread");
    peer.hang_up();
    run();
    EXPECT_EQ(user.ends, 1);
    EXPECT_EQ(user.heard, "");
}

TEST_F(StreamTest, WhatTheKernelDoesNotTakeIsKeptAndNothingMoreIsTaken) {
    auto [stream, peer] = connect(loop, 8192);
    stream->use(user);
    std::string all(300'000, 'x');
    for (std::size_t n = 0; n < all.size(); ++n) all[n] = static_cast<char>('a' + n % 23);
    ASSERT_EQ(stream->write(all), Stream::Write::taken);
    EXPECT_TRUE(stream->holds_back());
    EXPECT_EQ(stream->write("more"), Stream::Write::choked);
    stream->request_writable();
    std::string heard;
    for (int n = 0; n < 1000 && user.writables == 0; ++n) {
        heard += peer.hear();
        run(1);
    }
    EXPECT_EQ(user.writables, 1);
    EXPECT_FALSE(stream->holds_back());
    EXPECT_EQ(stream->write("more"), Stream::Write::taken);
    heard += peer.hear();
    EXPECT_TRUE(heard == all + "more");
    run();
    EXPECT_EQ(user.writables, 1);
}

TEST_F(StreamTest, WritableComesAlsoWhenNothingIsHeldBackButLater) {
    auto [stream, peer] = connect(loop);
    stream->use(user);
    stream->request_writable();
    EXPECT_EQ(user.writables, 0);
    run();
    EXPECT_EQ(user.writables, 1);
}

TEST_F(StreamTest, AWriteToADeadPeerFailsAndTheEndFollows) {
    auto [stream, peer] = connect(loop);
    stream->use(user);
    run();
    peer.hang_up();
    EXPECT_EQ(stream->write("x"), Stream::Write::failed);
    EXPECT_EQ(user.ends, 0) << "never inside write()";
    EXPECT_EQ(stream->write("y"), Stream::Write::failed);
    run();
    EXPECT_EQ(user.ends, 1);
}

TEST_F(StreamTest, TheUserMayDestroyItInEachCall) {
    for (int which = 0; which < 3; ++which) {
        auto connected = connect(loop, 8192);
        Recorder each;
        connected.stream->use(each);
        const auto destroy = [&connected] { connected.stream.reset(); };
        if (which == 0) {
            each.on_received = destroy;
            connected.peer.say("x");
        } else if (which == 1) {
            each.on_writable = destroy;
            connected.stream->request_writable();
            connected.peer.say("x");
        } else {
            each.on_ended = destroy;
            connected.peer.hang_up();
        }
        run();
        EXPECT_EQ(connected.stream, nullptr) << which;
        EXPECT_EQ(each.ends, which == 2 ? 1 : 0);
    }
}

TEST_F(StreamTest, TheUserMayDestroyTheOthersThatAreReadyInTheSameTurn) {
    std::vector<Connected> all;
    std::vector<std::unique_ptr<Recorder>> users;
    int calls = 0;
    for (int n = 0; n < 20; ++n) all.push_back(connect(loop));
    for (auto &one : all) {
        users.push_back(std::make_unique<Recorder>());
        users.back()->on_received = [&] {
            ++calls;
            for (auto &each : all) each.stream.reset();
        };
        one.stream->use(*users.back());
        one.peer.say("x");
        one.stream->request_writable();
    }
    run();
    EXPECT_EQ(calls, 1);
}

TEST_F(StreamTest, ANewUserInTheMiddleOfACallGetsWhatFollows) {
    auto [stream, peer] = connect(loop);
    Recorder next;
    stream->use(user);
    user.on_received = [&s = *stream, &next] { s.use(next); };
    peer.say("to the first");
    run();
    peer.say("to the second");
    peer.finish();
    run();
    EXPECT_EQ(user.heard, "to the first");
    EXPECT_EQ(user.ends, 0);
    EXPECT_EQ(next.heard, "to the second");
    EXPECT_EQ(next.ends, 1);
}

TEST_F(StreamTest, ClosingAfterWritingGivesThePeerEverythingAndThenTheEnd) {
    auto [stream, peer] = connect(loop, 8192);
    stream->use(user);
    peer.say("what nobody reads must not reset the connection");
    const std::string answer(200'000, 'a');
    stream->write(answer);
    close_after_writing(std::move(stream));
    std::string heard;
    for (int n = 0; n < 1000 && !heard.ends_with("<end>"); ++n) {
        heard += peer.hear();
        run(1);
    }
    EXPECT_TRUE(heard == answer + "<end>");
    EXPECT_EQ(loop.poller().orphans(), 1u);
    peer.hang_up();
    run();
    EXPECT_EQ(loop.poller().orphans(), 0u);
    EXPECT_EQ(user.heard, "");
}

TEST_F(StreamTest, ClosingAfterWritingSurvivesAPeerThatFinishedBefore) {
    auto [stream, peer] = connect(loop, 8192);
    stream->use(user);
    peer.finish();
    const std::string answer(200'000, 'a');
    stream->write(answer);
    run();
    ASSERT_EQ(user.ends, 1);
    close_after_writing(std::move(stream));
    std::string heard;
    for (int n = 0; n < 1000 && !heard.ends_with("<end>"); ++n) {
        heard += peer.hear();
        run(1);
    }
    EXPECT_TRUE(heard == answer + "<end>");
    EXPECT_EQ(loop.poller().orphans(), 0u);
}

TEST_F(StreamTest, AnExceptionInItsUserEndsThatOneOnly) {
    auto [stream, peer] = connect(loop);
    auto [other, other_peer] = connect(loop);
    Recorder other_user;
    stream->use(user);
    other->use(other_user);
    user.on_received = [] { throw std::runtime_error("a bug"); };
    peer.say("x");
    other_peer.say("y");
    run();
    EXPECT_EQ(user.ends, 1);
    EXPECT_EQ(other_user.heard, "y");
    EXPECT_EQ(other_user.ends, 0);
}

TEST_F(StreamTest, AGoodbyeThatNobodyTakesDiesWithTheLoop) {
    auto [stream, peer] = connect(loop, 8192);
    stream->use(user);
    stream->write(std::string(200'000, 'a'));
    close_after_writing(std::move(stream));
    run();
    EXPECT_EQ(loop.poller().orphans(), 1u);
}

}  // namespace
}  // namespace bridge::net
