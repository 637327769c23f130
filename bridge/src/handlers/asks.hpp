// Questions to one session that are not answered yet: their ids, which function hears the answer, until when it waits. Bounded. Ids
// begin at random, since a client may answer a question of its last connection on this one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.hpp"
#include "loop/wheel.hpp"

namespace bridge::handlers {

class Asks {
public:
    static constexpr std::size_t kMost = 64;
    using Function = std::string;  // empty: nobody hears

    // `expired` is called when a question was not answered in time; it may end these Asks.
    Asks(loop::Deadlines &deadlines, Rng &rng, std::function<void(Function)> expired);
    ~Asks();
    Asks(const Asks &) = delete;
    Asks &operator=(const Asks &) = delete;

    std::optional<std::uint64_t> add(Function hears, std::int64_t timeout_ms);  // its id; nullopt: too many wait
    std::optional<Function> take(std::string_view id);                          // nullopt: no such question, or answered already
    std::vector<Function> take_all();

private:
    struct Question;
    void fire(std::uint64_t id);
    std::vector<std::unique_ptr<Question>>::iterator find(std::uint64_t id);

    loop::Deadlines &deadlines_;
    std::function<void(Function)> expired_;
    std::uint64_t next_;
    std::vector<std::unique_ptr<Question>> questions_;
};

}  // namespace bridge::handlers
