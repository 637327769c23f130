// See polling.hpp.
#include "transport/polling.hpp"

#include <utility>

#include "codec/engineio.hpp"
#include "transport/engineio.hpp"

namespace bridge::transport {

namespace {

http::Reply packets(std::string body) {
    http::Reply reply;
    reply.content_type = "text/plain; charset=UTF-8";
    reply.headers.emplace_back("Cache-Control", "no-store");
    reply.body = std::move(body);
    return reply;
}

http::Reply ok() {
    http::Reply reply;
    reply.content_type = "text/html";
    reply.body = "ok";
    return reply;
}

http::Reply bad() { return engineio_error(400, 3, "Bad request"); }

}  // namespace

Polling::~Polling() {
    if (get_ != nullptr) {
        get_->unwatch();
        answer("1");
    }
    if (post_ != nullptr) {
        post_->unwatch();
        std::exchange(post_, nullptr)->respond(bad());
    }
}

void Polling::answer(std::string body) { std::exchange(get_, nullptr)->respond(packets(std::move(body))); }

void Polling::get(http::Exchange &exchange) {
    if (get_ != nullptr) {
        exchange.respond(bad());
        return user_.misused();
    }
    get_ = &exchange;
    exchange.watch(*this);
    user_.wanted();
}

void Polling::give(std::string_view frames) {
    rest_.append(frames);
    if (get_ == nullptr || rest_.empty()) return;
    std::string body;
    std::size_t count = 0;
    std::string_view rest = rest_;
    codec::engineio::append_payload(body, count, rest);
    if (rest.empty()) {
        std::string().swap(rest_);
    } else {
        rest_.erase(0, rest_.size() - rest.size());
    }
    answer(std::move(body));
}

void Polling::noop() {
    if (get_ != nullptr) answer("6");
}

bool Polling::say_goodbye() {
    if (get_ == nullptr) return false;
    std::string body;
    std::size_t count = 0;
    std::string_view rest = rest_;
    codec::engineio::append_payload(body, count, rest);
    rest_.erase(0, rest_.size() - rest.size());
    // In an answer of its own: the stock client closes at once and hands on what came with it a tick later, to nobody.
    const bool all = count == 0;
    if (all) body = "1";
    answer(std::move(body));
    return all;
}

void Polling::post(http::Exchange &exchange) {
    if (post_ != nullptr) {
        exchange.respond(bad());
        return user_.misused();
    }
    if (exchange.request().header("content-type").starts_with("application/octet-stream")) {
        exchange.respond(bad());
        return user_.misused();
    }
    post_ = &exchange;
    exchange.watch(*this);
}

void Polling::complete(http::Exchange &exchange) {
    if (&exchange != post_) return;
    const std::string body = std::move(exchange.request().body);
    const User::Taken taken = user_.posted(body);
    post_ = nullptr;
    if (taken == User::Taken::bad) {
        exchange.respond(bad());
        return user_.misused();
    }
    if (taken == User::Taken::closed) noop();
    exchange.respond(ok());
    if (taken == User::Taken::closed) user_.left();
}

void Polling::gone(http::Exchange &exchange) {
    if (&exchange == get_) get_ = nullptr;
    if (&exchange == post_) post_ = nullptr;
    user_.left();
}

}  // namespace bridge::transport
