#include "transport/sse.hpp"

#include <utility>

#include "base/scope.hpp"
#include "codec/sse.hpp"

namespace bridge::transport {

namespace {
constexpr std::int64_t kCloseWait = 2'000;  // ms, for what waits on a slow socket
}

EventStream::Heart::Heart(EventStream &stream) : Entry([](Entry &entry) { static_cast<Heart &>(entry).owner.beat(); }), owner(stream) {}

EventStream::EventStream(Sse &all, http::Exchange &exchange)
    : all_(all), exchange_(&exchange), heart_(*this), subscriber_(all.services_, *this, Protocol::sse, false) {
    exchange.watch(*this);
    subscriber_.open(*this);
}

EventStream::~EventStream() {
    if (counted_) gauge_->Decrement();
    if (exchange_ != nullptr) exchange_->unwatch();
    subscriber_.stop("client_close");
    subscriber_.closed();
}

// ---- as a request

void EventStream::complete(http::Exchange &) {}

void EventStream::gone(http::Exchange &) {
    exchange_ = nullptr;
    all_.streams_.remove(*this);
}

void EventStream::refused(const Error &error, std::string_view correlation_id) {
    all_.services_.metrics.sse_errors().Increment();
    if (http::Exchange *exchange = std::exchange(exchange_, nullptr)) {
        exchange->unwatch();
        exchange->respond(failure(error, correlation_id));
    }
    finish();
}

bool EventStream::granted(const handlers::Grant &grant) {
    gauge_ = &all_.services_.metrics.sse_streams(label(grant.scope));
    return true;
}

// The head, where the stream begins, and what there is to say at once: one write.
hub::FramePtr EventStream::greeting(const handlers::Grant &grant) {
    if (exchange_ == nullptr) return nullptr;
    http::Reply head;
    head.content_type = "text/event-stream; charset=utf-8";
    head.headers.emplace_back("Cache-Control", "no-store");
    head.headers.emplace_back("X-Accel-Buffering", "no");
    all_.cors_.add_headers(exchange_->request(), head);
    const std::string cursor = Cursor{grant.position.epoch, grant.seen.value_or(grant.position.position)}.text();
    std::string out = http::render_endless_head(exchange_->request(), head) + codec::sse::hello(all_.options_.retry, cursor);
    if (!grant.must_refetch.empty()) out += codec::sse::must_refetch(grant.must_refetch, cursor);
    for (const db::FirstEvent &first : grant.first) out += codec::sse::event({.name = first.event, .data = first.data, .id = {}});
    return hub::make_frame(std::move(out));
}

// ---- as a stream

void EventStream::live() {
    counted_ = true;
    gauge_->Increment();
    all_.services_.deadlines.arm(heart_, all_.services_.deadlines.now() + all_.options_.ping_interval);
}

void EventStream::beat() {
    if (closing_) return finish();  // it has had its time
    handlers::Services &services = all_.services_;
    services.hub.send(subscriber_.id(), all_.ping(subscriber_.cursor()));
    services.deadlines.arm(heart_, services.deadlines.now() + all_.options_.ping_interval);
}

hub::FramePtr EventStream::farewell(const Error &error) {
    all_.services_.metrics.sse_errors().Increment();
    return hub::make_frame(codec::sse::error(error));
}

void EventStream::received(std::string_view) {}  // there is nothing to say on an event stream

void EventStream::writable() {
    all_.services_.hub.writable(subscriber_.id());
    if (closing_ && !all_.services_.hub.waiting(subscriber_.id())) finish();
}

void EventStream::ended() {
    stream_.reset();
    all_.streams_.remove(*this);
}

void EventStream::write_soon() {
    if (stream_) stream_->prefetch();
}

hub::Sink::Write EventStream::write(std::string_view bytes) {
    if (exchange_ != nullptr) {
        exchange_->unwatch();
        std::string ignored;  // nobody listens to what comes behind
        stream_ = std::exchange(exchange_, nullptr)->detach(ignored);
        stream_->use(*this);
    }
    if (!stream_) return Write::failed;
    switch (stream_->write(bytes)) {
        case net::Stream::Write::taken: return Write::taken;
        case net::Stream::Write::choked: return Write::choked;
        case net::Stream::Write::failed: break;
    }
    return Write::failed;
}

void EventStream::request_writable() {
    if (stream_) stream_->request_writable();
}

void EventStream::close(Errc why) {
    if (exchange_ != nullptr) {  // nothing was sent yet
        if (why != Errc::shutting_down) why = Errc::unavailable;
        return refused(Error{why, "the stream cannot begin now, try again", {}, 1}, {});
    }
    subscriber_.stop(info(why).reason);
    if (why == Errc::slow_client) {
        all_.services_.metrics.sse_errors().Increment();
        stream_.reset();  // it does not read
        return finish();
    }
    if (!all_.services_.hub.waiting(subscriber_.id())) return finish();
    closing_ = true;
    all_.services_.deadlines.arm(heart_, all_.services_.deadlines.now() + kCloseWait);
}

void EventStream::finish() {
    all_.services_.deadlines.cancel(heart_);
    if (stream_) net::close_after_writing(std::move(stream_));
    all_.streams_.remove_soon(*this);
}

// ---- all of them

Sse::Sse(handlers::Services &services, const SseOptions &options, const http::Cors &cors)
    : services_(services), options_(options), cors_(cors), key_waits_(services), streams_(services.deadlines) {}

const hub::FramePtr &Sse::ping(std::string cursor) {
    if (!ping_ || cursor != ping_at_) {
        ping_ = hub::make_frame(codec::sse::ping(cursor));
        ping_at_ = std::move(cursor);
    }
    return ping_;
}

void Sse::refuse(http::Exchange &exchange, http::Reply reply) {
    services_.metrics.sse_errors().Increment();
    exchange.respond(std::move(reply));
}

void Sse::request(http::Exchange &exchange) {
    const http::Request &request = exchange.request();
    if (draining_) return refuse(exchange, failure(shutting_down()));
    if (request.method != http::Method::get || request.has_body) {
        http::Reply reply = http::error_reply(405, "bad_request", "an event stream is opened by GET, without a body");
        reply.headers.emplace_back("Allow", "GET, OPTIONS");
        return refuse(exchange, std::move(reply));
    }
    if (key_waits_.hold(exchange, token_of(request), [this](http::Exchange &waited) { admit(waited); })) return;
    admit(exchange);
}

void Sse::admit(http::Exchange &exchange) {
    const http::Request &request = exchange.request();
    if (draining_) return refuse(exchange, failure(shutting_down()));
    auto listening = read_listening(request);
    if (!listening) return refuse(exchange, failure(listening.error()));
    auto claims = handlers::authenticate(services_, token_of(request));
    if (!claims) return refuse(exchange, failure(claims.error()));
    auto gate = std::make_unique<handlers::RoomGate>(services_, std::move(*claims), asker(request, "sse"),
                                                     scope("/sse", std::move(listening->events)), std::move(listening->rooms),
                                                     last_event_id(request));
    streams_.add(std::make_unique<EventStream>(*this, exchange)).subscriber().start(std::move(gate));
}

void Sse::serve(http::Exchange &exchange, std::unique_ptr<handlers::Gate> gate, handlers::Grant grant) {
    if (draining_) return refuse(exchange, failure(shutting_down()));
    streams_.add(std::make_unique<EventStream>(*this, exchange)).subscriber().start(std::move(gate), std::move(grant));
}

}  // namespace bridge::transport
