// Events with an ack, see calls.hpp.
#include "client/calls.hpp"

#include "client/process.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace bench {

namespace {

// A text with {n} and {i} in it, cut once so that a call only joins the pieces.
class Template {
public:
    explicit Template(const std::string &text) {
        size_t from = 0;
        for (size_t at; (at = text.find('{', from)) != std::string::npos;) {
            const std::string_view name = std::string_view(text).substr(at, 3);
            const bool variable = name == "{n}" || name == "{i}";
            const size_t end = variable ? at : at + 1;
            pieces_.push_back({text.substr(from, end - from), variable ? name[1] : '\0'});
            from = variable ? at + 3 : end;
        }
        pieces_.push_back({text.substr(from), '\0'});
    }

    void append(std::string &out, int64_t n, uint32_t i) const {
        for (const Piece &piece : pieces_) {
            out += piece.text;
            if (piece.variable != '\0') out += std::to_string(piece.variable == 'n' ? n : static_cast<int64_t>(i));
        }
    }

private:
    struct Piece {
        std::string text;
        char variable;  // what follows the text: n, i, or NUL for nothing
    };
    std::vector<Piece> pieces_;
};

double at(const std::vector<float> &ordered, double q) {
    return ordered.empty() ? 0 : ordered[std::min(ordered.size() - 1, static_cast<size_t>(q * static_cast<double>(ordered.size())))];
}

class Calls {
public:
    Calls(Fleet &fleet, const CallOptions &options, int64_t first)
        : fleet_(fleet), event_(options.event), answer_(options.answer), first_(first) {
        fleet_.on_ack = [this](uint32_t socket, std::string_view text) { acked(socket, text); };
    }
    ~Calls() { fleet_.on_ack = nullptr; }

    // `since` is when its time begins to count.
    void call(uint32_t socket, long long since) {
        const int64_t n = first_ + static_cast<int64_t>(calls_.size());
        calls_.push_back({since, socket, false});
        packet_ = "42" + std::to_string(n);
        event_.append(packet_, n, socket);
        fleet_.emit(socket, packet_);
    }

    size_t made() const { return calls_.size(); }
    size_t answered() const { return took_ms_.size(); }
    bool sound() const { return wrong_ == 0 && fleet_.counts().lost == 0; }
    long long last_answer() const { return last_answer_; }

    bool again = false;         // each answer is followed by the next call of its socket
    long long again_until = 0;  // … until then

    nlohmann::json result() {
        std::sort(took_ms_.begin(), took_ms_.end());
        return {{"calls", calls_.size()},    {"answered", took_ms_.size()},  {"wrong", wrong_},
                {"example", example_},       {"lost", fleet_.counts().lost}, {"reasons", fleet_.counts().reasons},
                {"p50Ms", at(took_ms_, .5)}, {"p99Ms", at(took_ms_, .99)},   {"maxMs", at(took_ms_, 1)}};
    }

private:
    struct Call {
        long long since;
        uint32_t socket;
        bool answered;
    };

    // `text` is the packet behind its type: the ack id and the array of arguments.
    void acked(uint32_t socket, std::string_view text) {
        const long long now = now_ns();
        int64_t n = -1;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
        const int64_t index = n - first_;
        if (error != std::errc() || index < 0 || index >= static_cast<int64_t>(calls_.size())) return refuse(text);
        Call &call = calls_[static_cast<size_t>(index)];
        expected_.clear();
        answer_.append(expected_, n, socket);
        if (call.answered || call.socket != socket || !same(std::string_view(end, text.data() + text.size()))) return refuse(text);
        call.answered = true;
        took_ms_.push_back(static_cast<float>(static_cast<double>(now - call.since) / 1e6));
        last_answer_ = now;
        if (again && now < again_until) this->call(socket, now);
    }

    // Servers may put white space where they like; the bench's own answers have none in their strings.
    bool same(std::string_view got) const {
        size_t matched = 0;
        for (const char c : got) {
            if (c == ' ') continue;
            if (matched == expected_.size() || expected_[matched++] != c) return false;
        }
        return matched == expected_.size();
    }

    void refuse(std::string_view text) {
        if (wrong_++ == 0) example_ = text.substr(0, 300);
    }

    Fleet &fleet_;
    const Template event_, answer_;
    const int64_t first_;
    std::vector<Call> calls_;
    std::vector<float> took_ms_;
    std::string packet_, expected_, example_;
    uint64_t wrong_ = 0;
    long long last_answer_ = 0;
};

}  // namespace

nlohmann::json run_calls(Poller &poller, Fleet &fleet, const CallOptions &options, int64_t &number) {
    const size_t sockets = fleet.ready();
    if (sockets == 0 || sockets != fleet.target()) throw std::runtime_error("not all sockets are connected");
    fleet.reset_counts();
    Calls calls(fleet, options, number);
    const double server_before = cpu_seconds(options.server), behind_before = cpu_seconds(options.behind);
    const double own_before = cpu_seconds(getpid());
    const long long began = now_ns(), until = began + static_cast<long long>(options.seconds) * 1'000'000'000;
    if (options.in_flight > 0) {
        calls.again = true;
        calls.again_until = until;
        for (size_t round = 0; round < options.in_flight; ++round)
            for (uint32_t socket = 0; socket < sockets; ++socket) calls.call(socket, now_ns());
        while (now_ns() < until && calls.sound()) poller.turn(10);
    } else {
        const size_t wanted = options.a_second * options.seconds;
        const auto due_at = [&](size_t call) {
            return began + static_cast<long long>(static_cast<double>(call) * 1e9 / static_cast<double>(options.a_second));
        };
        while (calls.made() < wanted && calls.sound()) {
            const long long now = now_ns();
            while (calls.made() < wanted && due_at(calls.made()) <= now)
                calls.call(static_cast<uint32_t>(calls.made() % sockets), due_at(calls.made()));
            if (calls.made() < wanted) poller.turn_until(due_at(calls.made()), now_ns());
        }
    }
    const long long deadline = now_ns() + options.patience_s * 1'000'000'000LL;
    while (calls.answered() < calls.made() && calls.sound() && now_ns() < deadline) poller.turn(50);
    number += static_cast<int64_t>(calls.made());
    nlohmann::json result = calls.result();
    result["seconds"] = static_cast<double>(std::max(calls.last_answer(), began) - began) / 1e9;
    result["serverCpu"] = cpu_seconds(options.server) - server_before;
    result["behindCpu"] = cpu_seconds(options.behind) - behind_before;
    result["clientCpu"] = cpu_seconds(getpid()) - own_before;
    return result;
}

}  // namespace bench
