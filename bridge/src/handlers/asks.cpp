// The table of questions.
#include "handlers/asks.hpp"

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>

namespace bridge::handlers {

struct Asks::Question : loop::Wheel::Entry {
    Question(Asks &o, std::uint64_t i, Function h)
        : Entry([](Entry &entry) {
              auto &question = static_cast<Question &>(entry);
              question.owner.fire(question.id);
          }),
          owner(o), id(i), hears(std::move(h)) {}
    Asks &owner;
    std::uint64_t id;
    Function hears;
};

Asks::Asks(loop::Deadlines &deadlines, Rng &rng, std::function<void(Function)> expired)
    : deadlines_(deadlines), expired_(std::move(expired)) {
    std::uint32_t random = 0;
    rng.fill(std::as_writable_bytes(std::span(&random, 1)));
    next_ = random % 1'000'000'000;
}

Asks::~Asks() = default;

std::optional<std::uint64_t> Asks::add(Function hears, std::int64_t timeout_ms) {
    if (questions_.size() >= kMost) return std::nullopt;
    questions_.push_back(std::make_unique<Question>(*this, next_, std::move(hears)));
    deadlines_.arm(*questions_.back(), deadlines_.now() + timeout_ms);
    return next_++;
}

std::vector<std::unique_ptr<Asks::Question>>::iterator Asks::find(std::uint64_t id) {
    return std::find_if(questions_.begin(), questions_.end(), [id](const auto &question) { return question->id == id; });
}

std::optional<Asks::Function> Asks::take(std::string_view text) {
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    const auto found = find(id);
    if (found == questions_.end()) return std::nullopt;
    Function hears = std::move((*found)->hears);
    questions_.erase(found);
    return hears;
}

std::vector<Asks::Function> Asks::take_all() {
    std::vector<Function> all;
    for (auto &question : questions_) all.push_back(std::move(question->hears));
    questions_.clear();
    return all;
}

void Asks::fire(std::uint64_t id) {
    const auto found = find(id);
    Function hears = std::move((*found)->hears);
    questions_.erase(found);
    const auto expired = expired_;  // what it calls may end the session, and these with it
    expired(std::move(hears));
}

}  // namespace bridge::handlers
