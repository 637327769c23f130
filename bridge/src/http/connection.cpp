// See connection.hpp. Whoever is called may answer, detach or destroy, so after each call the first question is whether this object is
// still there.
#include "http/connection.hpp"

#include <algorithm>
#include <utility>

#include "http/head.hpp"

namespace bridge::http {

namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

Method method_of(unsigned method) {
    switch (method) {
        case HTTP_GET: return Method::get;
        case HTTP_HEAD: return Method::head;
        case HTTP_POST: return Method::post;
        case HTTP_PUT: return Method::put;
        case HTTP_PATCH: return Method::patch;
        case HTTP_DELETE: return Method::del;
        case HTTP_OPTIONS: return Method::options;
        default: return Method::other;
    }
}

}  // namespace

Connection::Deadline::Deadline(Connection &connection)
    : Entry([](Entry &entry) { static_cast<Deadline &>(entry).owner.too_late(); }), owner(connection) {}

Connection::Connection(Connections &all, net::StreamPtr stream) : all_(all), stream_(std::move(stream)), deadline_(*this) {
    http_parser_init(&parser_, HTTP_REQUEST);
    parser_.data = this;
    stream_->use(*this);
    arm(all_.limits_.head_deadline);
}

void Connection::arm(std::int64_t after) { all_.deadlines_.arm(deadline_, all_.deadlines_.now() + after); }

// ---- what the parser tells

const http_parser_settings &Connection::settings() {
    static const http_parser_settings made = [] {
        http_parser_settings out{};
        out.on_url = [](http_parser *p, const char *at, std::size_t size) noexcept {
            return static_cast<Connection *>(p->data)->url({at, size});
        };
        out.on_header_field = [](http_parser *p, const char *at, std::size_t size) noexcept {
            return static_cast<Connection *>(p->data)->header_name({at, size});
        };
        out.on_header_value = [](http_parser *p, const char *at, std::size_t size) noexcept {
            return static_cast<Connection *>(p->data)->header_value({at, size});
        };
        out.on_headers_complete = [](http_parser *p) noexcept { return static_cast<Connection *>(p->data)->headers_complete(); };
        return out;
    }();
    return made;
}

int Connection::reject(int status, std::string_view message) {
    refused_status_ = status;
    refused_with_ = message;
    return -1;
}

bool Connection::counts(std::size_t bytes) {
    header_bytes_ += bytes;
    if (header_bytes_ <= all_.limits_.max_header_bytes) return true;
    reject(431, "the request's headers are too large");
    return false;
}

int Connection::url(std::string_view piece) {
    if (!counts(piece.size())) return -1;
    target_ += piece;
    return 0;
}

int Connection::header_name(std::string_view piece) {
    constexpr std::size_t kSeparators = 4;  // colon, space, end of line
    const bool new_one = in_value_ || request_.headers.empty();
    if (!counts(piece.size() + (new_one ? kSeparators : 0))) return -1;
    if (new_one) request_.headers.emplace_back();
    in_value_ = false;
    std::string &name = request_.headers.back().first;
    const std::size_t old = name.size();
    name += piece;
    std::transform(name.begin() + static_cast<std::ptrdiff_t>(old), name.end(), name.begin() + static_cast<std::ptrdiff_t>(old),
                   [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c); });
    return 0;
}

int Connection::header_value(std::string_view piece) {
    in_value_ = true;
    if (!counts(piece.size())) return -1;
    request_.headers.back().second += piece;
    return 0;
}

// Stops the parser: bodies are read by body_, and each head by a parser that begins anew.
int Connection::headers_complete() {
    for (auto &[name, value] : request_.headers) {
        while (value.ends_with(' ') || value.ends_with('\t')) value.pop_back();
    }
    request_.method = method_of(parser_.method);
    request_.http11 = parser_.http_minor >= 1;
    request_.keep_alive = http_should_keep_alive(&parser_) != 0;
    request_.ip = stream_->ip();
    const bool wants_upgrade = parser_.upgrade != 0;

    if (parser_.http_major != 1) return reject(505, "HTTP/1.1 is spoken here");
    if (parser_.method == HTTP_CONNECT) return reject(405, "this is no proxy");
    if (const auto flaw = flaw_of_headers(request_)) return reject(flaw->status, flaw->message);
    if (!read_target(target_, request_)) return reject(400, "the request's target is malformed");

    const bool chunked = !request_.header("transfer-encoding").empty();  // then it is just that: no flaw was found
    request_.has_body = chunked || ((parser_.flags & F_CONTENTLENGTH) != 0 && parser_.content_length > 0);
    if (!chunked && request_.has_body && parser_.content_length > all_.limits_.max_body) return reject(413, "the body is too large");
    request_.upgrade = wants_upgrade && !request_.has_body && same_word(request_.header("upgrade"), "websocket");
    if (const std::string_view expect = request_.header("expect"); !expect.empty()) {
        if (!same_word(expect, "100-continue")) return reject(417, "this expectation cannot be met");
        expects_100_ = request_.has_body && request_.http11;
    }
    if (request_.has_body) {
        body_ = chunked ? BodyReader::chunked(all_.limits_.max_header_bytes) : BodyReader::of_length(parser_.content_length);
    }
    phase_ = request_.has_body ? Phase::body : Phase::waiting;
    http_parser_pause(&parser_, 1);
    return 0;
}

// ---- bytes in

void Connection::received(std::string_view bytes) {
    if (phase_ == Phase::waiting || phase_ == Phase::answered || !kept_.empty()) return keep(bytes);
    parse(bytes);
}

void Connection::keep(std::string_view bytes) {
    kept_ += bytes;
    if (kept_.size() > all_.limits_.max_pipelined) stream_->pause();
}

void Connection::parse_kept() {
    const std::string bytes = std::exchange(kept_, {});
    stream_->resume();
    parse(bytes);
}

void Connection::parse(std::string_view bytes) {
    unparsed_ = bytes;
    while (!unparsed_.empty()) {
        if (phase_ == Phase::waiting || phase_ == Phase::answered) return keep(std::exchange(unparsed_, {}));
        if (!std::exchange(begun_, true) && !fresh_) arm(all_.limits_.head_deadline);  // it was waiting for another request
        const bool in_head = phase_ == Phase::head;
        if (!(in_head ? parse_head() : parse_body())) {
            unparsed_ = {};
            return give_up();
        }
        if (in_head ? phase_ == Phase::head : phase_ == Phase::body) return;  // all of it was used
        if ((in_head ? head_read() : request_read()) == Lasts::no) return;
    }
}

bool Connection::parse_head() {
    const std::size_t used = http_parser_execute(&parser_, &settings(), unparsed_.data(), unparsed_.size());
    const http_errno error = HTTP_PARSER_ERRNO(&parser_);
    // The parser stops before the last byte of the head, whatever that is, and is lenient about line ends elsewhere too. What is wrong
    // first counts, however the bytes came: so its own error comes behind this.
    const std::size_t end = error == HPE_PAUSED ? used + 1 : used;
    for (const char c : unparsed_.substr(0, end)) {
        const bool bare = last_byte_ == '\r' && c != '\n', folded = last_byte_ == '\n' && (c == ' ' || c == '\t');
        if (bare || folded) {
            reject(400, "a line of the request's head is malformed");
            return false;
        }
        last_byte_ = c;
    }
    if (error != HPE_OK && error != HPE_PAUSED) {
        if (refused_status_ == 0) reject(400, "this is no HTTP request");
        if (error == HPE_HEADER_OVERFLOW) reject(431, "the request's headers are too large");
        if (error == HPE_INVALID_TRANSFER_ENCODING) reject(501, "of transfer encodings only chunked is understood");
        return false;
    }
    unparsed_.remove_prefix(end);
    if (error == HPE_OK) return true;
    if (last_byte_ != '\n') {
        reject(400, "the request's head has no end");
        return false;
    }
    http_parser_init(&parser_, HTTP_REQUEST);
    return true;
}

bool Connection::parse_body() {
    switch (body_.read(unparsed_, request_.body, all_.limits_.max_body)) {
        case BodyReader::State::more: return true;
        case BodyReader::State::complete: phase_ = Phase::waiting; return true;
        case BodyReader::State::malformed: reject(400, "the body's chunks are malformed"); break;
        case BodyReader::State::too_long: reject(413, "the body is too large"); break;
    }
    return false;
}

Connection::Lasts Connection::call(void (Connection::*step)()) {
    const Alive::Guard alive(alive_);
    struct Parsing {
        Connection &connection;
        const Alive::Guard &guard;
        ~Parsing() {
            if (guard) connection.parsing_ = false;
        }
    } const parsing{*this, alive};
    parsing_ = true;
    (this->*step)();
    return alive ? Lasts::yes : Lasts::no;
}

void Connection::give_to_watcher() { watcher_->complete(*this); }

Connection::Lasts Connection::head_read() {
    const bool no_body = phase_ == Phase::waiting;
    if (no_body) {
        all_.deadlines_.cancel(deadline_);
    } else {
        arm(all_.limits_.body_deadline);
    }
    const Phase asked_in = phase_;
    if (call(&Connection::give_to_service) == Lasts::no) return Lasts::no;
    if (phase_ != asked_in) return Lasts::yes;  // answered
    if (watcher_ == nullptr) {
        const Alive::Guard alive(alive_);
        respond(error_reply(500, "internal", "nobody answers this request"));
        return alive ? Lasts::yes : Lasts::no;
    }
    if (no_body) return request_read();
    if (expects_100_) stream_->write(kContinue);
    return Lasts::yes;
}

Connection::Lasts Connection::request_read() {
    all_.deadlines_.cancel(deadline_);
    if (watcher_ == nullptr) return Lasts::yes;
    return call(&Connection::give_to_watcher);
}

void Connection::ended() {
    Watcher *watcher = std::exchange(watcher_, nullptr);
    if (watcher != nullptr && phase_ != Phase::answered) {
        const Alive::Guard alive(alive_);
        watcher->gone(*this);
        if (!alive) return;
    }
    // It may have closed only its own direction, and still read.
    if (phase_ == Phase::answered && unsent_.empty() && stream_->holds_back()) net::close_after_writing(std::move(stream_));
    all_.end(*this);
}

// ---- the answer

void Connection::respond(Reply reply) {
    all_.cors_.add_headers(request_, reply);
    reply.close = reply.close || !request_.keep_alive || phase_ != Phase::waiting || all_.draining_;
    const std::string bytes = render(request_, reply);
    watcher_ = nullptr;
    phase_ = Phase::answered;
    closes_ = reply.close;
    all_.deadlines_.cancel(deadline_);
    if (stream_->write(bytes) == net::Stream::Write::choked) {  // by `100 Continue`
        unsent_ = bytes;
        arm(all_.limits_.idle_deadline);
        return stream_->request_writable();
    }
    if (closes_) {
        net::close_after_writing(std::move(stream_));
        return all_.end(*this);
    }
    // The next one begins when this answer is with the kernel, so a client that reads nothing is not read either; and never inside
    // this call, which may come from anywhere.
    if (!stream_->holds_back() && (parsing_ || kept_.empty())) return next_request();
    arm(all_.limits_.idle_deadline);
    stream_->request_writable();
}

void Connection::writable() {
    if (!unsent_.empty()) {
        const std::string bytes = std::exchange(unsent_, {});
        stream_->write(bytes);
        if (closes_) {
            net::close_after_writing(std::move(stream_));
            return all_.end(*this);
        }
        return stream_->request_writable();
    }
    if (phase_ != Phase::answered) return;
    next_request();
    if (!kept_.empty()) parse_kept();
}

void Connection::next_request() {
    request_ = {};
    target_ = {};
    header_bytes_ = 0;
    fresh_ = begun_ = in_value_ = expects_100_ = false;
    last_byte_ = 0;
    phase_ = Phase::head;
    arm(all_.limits_.idle_deadline);
}

// The rest of what comes cannot be told apart any more: says why, and closes.
void Connection::give_up() {
    Watcher *watcher = std::exchange(watcher_, nullptr);
    if (watcher != nullptr) {
        const Alive::Guard alive(alive_);
        watcher->gone(*this);
        if (!alive) return;
    }
    Reply reply = error_reply(refused_status_, refused_status_ == 413 ? "payload_too_large" : "bad_request", refused_with_);
    reply.close = true;
    all_.service_.refusing(request_, reply);
    respond(std::move(reply));
}

void Connection::too_late() {
    if (phase_ == Phase::answered || (!begun_ && !all_.limits_.answers_silence)) return all_.end(*this);
    reject(408, "the request did not come in time");
    give_up();
}

bool Connection::idle(std::int64_t now) const {
    constexpr std::int64_t kOnItsWay = 500;  // ms
    if (phase_ != Phase::head || begun_) return false;
    const std::int64_t since = deadline_.due() - (fresh_ ? all_.limits_.head_deadline : all_.limits_.idle_deadline);
    return stream_->internal() || now - since >= kOnItsWay;
}

net::StreamPtr Connection::detach(std::string &received) {
    received.assign(unparsed_);
    received += kept_;
    net::StreamPtr stream = std::move(stream_);
    stream->resume();
    all_.end(*this);
    return stream;
}

// ---- all of them

Connections::Connections(loop::Deadlines &deadlines, Service &service, const Cors &cors, Limits limits)
    : deadlines_(deadlines), service_(service), cors_(cors), limits_(limits) {
    // The parser's own bound, behind ours: it counts line ends too.
    http_parser_set_max_header_size(static_cast<std::uint32_t>(std::max<std::size_t>(2 * limits.max_header_bytes, 81'920)));
}

Connections::~Connections() {
    while (first_ != nullptr) end(*first_);
}

void Connections::add(net::StreamPtr stream) {
    auto *connection = new Connection(*this, std::move(stream));  // owned by this list
    connection->next_ = first_;
    if (first_ != nullptr) first_->previous_ = connection;
    first_ = connection;
    ++size_;
}

void Connections::end(Connection &connection) {
    (connection.previous_ != nullptr ? connection.previous_->next_ : first_) = connection.next_;
    if (connection.next_ != nullptr) connection.next_->previous_ = connection.previous_;
    --size_;
    delete &connection;
}

void Connections::drain() {
    draining_ = true;
    for (Connection *one = first_; one != nullptr;) {
        Connection *next = one->next_;
        if (one->idle(deadlines_.now())) end(*one);
        one = next;
    }
}

}  // namespace bridge::http
