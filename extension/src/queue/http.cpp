// libcurl's options and callbacks.
#include "queue/http.hpp"

#include "queue/webhook.hpp"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>

#include "pg/pure.hpp"

namespace pulse::queue {

namespace {

constexpr long kConnectWithin = 10'000;  // ms, at most: a host that is not there should not take all of a job's time
constexpr std::size_t kMostSpare = 128;
constexpr int kMostRounds = 64;  // of reading what has arrived, before anybody's time is looked at

std::int64_t monotonic_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// A thread takes the mask of who starts it: none of libcurl's may run a handler of the backend.
class SignalsBlocked {
public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked &) = delete;
    SignalsBlocked &operator=(const SignalsBlocked &) = delete;

private:
    sigset_t before_;
};

// In our words, so that a log can be searched for them; libcurl's own come behind.
std::string failure_of(CURLcode code, const char *said, long timeout_ms) {
    const std::string detail = words(*said != '\0' ? said : curl_easy_strerror(code), 200);
    switch (code) {
        case CURLE_OPERATION_TIMEDOUT: return "no answer in time, which was " + std::to_string(timeout_ms) + " ms (" + detail + ")";
        case CURLE_COULDNT_RESOLVE_HOST: return "its name cannot be resolved (" + detail + ")";
        case CURLE_COULDNT_CONNECT: return "it cannot be connected to (" + detail + ")";
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE: return "no TLS with it (" + detail + ")";
        // Ours: before_request keeps libcurl from sending once more what may have arrived.
        case CURLE_ABORTED_BY_CALLBACK: return "no answer: the connection broke after the request was sent";
        default: return "no answer (" + detail + ")";
    }
}

}  // namespace

struct Http::Transfer {
    Http *http;
    std::uint64_t id;
    Request request;
    long timeout_ms;
    std::int64_t deadline;
    std::shared_ptr<const AllowList> allow;
    Response response;
    std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy{nullptr, curl_easy_cleanup};
    std::vector<curl_slist> headers;  // libcurl's view of the request's
    std::array<char, CURL_ERROR_SIZE> said{};
    std::string host;
    int port = 0;
    bool opened = false;
    std::uint64_t configured = 0;  // what its handle was made with

    bool may_connect(const Address &address) const { return !allow || allow->may_connect(host, port, address); }
    void refuse(std::string_view address) {
        response.refused = true;
        response.failure = "it leads to " + words(address, 80) + ", which pulse.webhook_allow does not name";
    }
};

// What libcurl calls. Nothing may be thrown through it.
struct HttpCallbacks {
    static std::size_t on_body(char *bytes, std::size_t one, std::size_t count, void *user) noexcept {
        auto &response = static_cast<Http::Transfer *>(user)->response;
        const std::size_t size = one * count, room = Http::kMostBody - response.body.size();
        response.body.append(bytes, std::min(size, room));
        return size <= room ? size : 0;  // another number than it gave ends the transfer
    }

    static std::size_t on_header(char *bytes, std::size_t one, std::size_t count, void *user) noexcept {
        constexpr std::string_view kName = "retry-after:";
        auto &response = static_cast<Http::Transfer *>(user)->response;
        const std::string_view line(bytes, one * count);
        if (line.starts_with("HTTP/")) response.retry_after.reset();  // after a 1xx there is another head
        if (line.size() > kName.size() && curl_strnequal(line.data(), kName.data(), kName.size())) {
            const std::string_view value = line.substr(kName.size());
            response.retry_after = value.substr(0, value.find_first_of("\r\n"));
        }
        return line.size();
    }

    static curl_socket_t on_open(void *user, curlsocktype, curl_sockaddr *to) noexcept {
        auto &transfer = *static_cast<Http::Transfer *>(user);
        if (transfer.request.guarded) {
            const auto address = address_of(&to->addr);
            if (!address || !transfer.may_connect(*address)) {
                if (!transfer.opened) transfer.refuse(address ? text_of(*address) : "no address of the internet");
                return CURL_SOCKET_BAD;
            }
        }
        if (!transfer.http->hooks_.take_descriptor()) return CURL_SOCKET_BAD;
        const curl_socket_t fd = ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
        if (fd == CURL_SOCKET_BAD) {
            transfer.http->hooks_.give_back_descriptor();
            return fd;
        }
        transfer.opened = true;
        transfer.http->watch(fd) = {.ours = true, .for_what = 0};
        if (transfer.response.refused) {  // the name has another address, which may be reached
            transfer.response.refused = false;
            transfer.response.failure.clear();
        }
        return fd;
    }

    static int on_close(void *user, curl_socket_t fd) noexcept {
        auto &http = *static_cast<Http *>(user);
        http.hooks_.give_back_descriptor();
        http.watch(fd) = {};  // the kernel forgets it, too
        return ::close(fd);
    }

    // Also for a connection that was opened for somebody else, which on_open never asked this request's list about.
    static int before_request(void *user, char *address, char *, int, int) noexcept {
        auto &transfer = *static_cast<Http::Transfer *>(user);
        if (transfer.request.guarded) {
            const auto known = parse_address(address);
            if (!known || !transfer.may_connect(*known)) {
                transfer.refuse(address);
                return CURL_PREREQFUNC_ABORT;
            }
        }
        // libcurl sends once more, unasked, what met a kept connection that broke before an answer began. The receiver may have had it, and
        // a queue's rate counts what it gets: one attempt is one request.
        if (transfer.response.sent) return CURL_PREREQFUNC_ABORT;
        transfer.response.sent = true;
        return CURL_PREREQFUNC_OK;
    }

    // A connection that nobody uses stays where it is: the next request waits for the same. Of sockets of libcurl's own nobody tells us
    // when they are closed.
    static int on_socket(CURL *, curl_socket_t fd, int what, void *user, void *) noexcept {
        auto &http = *static_cast<Http *>(user);
        Http::Watch &watch = http.watch(fd);
        watch.wanted = what != CURL_POLL_REMOVE;
        if (!watch.wanted) {
            if (!watch.ours) http.unwatch(fd);
            return 0;
        }
        epoll_event event{};
        event.data.fd = fd;
        event.events = (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
        if (watch.for_what == event.events) return 0;
        epoll_ctl(http.epoll_, watch.for_what == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
        watch.for_what = event.events;
        return 0;
    }

    static int on_timer(CURLM *, long ms, void *user) noexcept {
        auto &http = *static_cast<Http *>(user);
        if (ms < 0)
            http.due_at_.reset();
        else
            http.due_at_ = monotonic_ms() + ms;
        return 0;
    }
};

bool begin_http() {
    const SignalsBlocked blocked;
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

Http::Http(Hooks hooks, int most_connections) : hooks_(hooks), multi_(curl_multi_init()), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, HttpCallbacks::on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, HttpCallbacks::on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    limit(most_connections);
}

Http::~Http() {
    const SignalsBlocked blocked;
    for (auto &[id, transfer] : transfers_) curl_multi_remove_handle(multi_, transfer->easy.get());
    transfers_.clear();
    spare_.clear();
    curl_multi_cleanup(multi_);
    ::close(epoll_);
}

void Http::limit(int most_connections) {
    curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(most_connections));
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(most_connections));
}

void Http::configure(std::string ca_file, std::shared_ptr<const AllowList> allow) {
    ca_file_ = std::move(ca_file);
    allow_ = std::move(allow);
    ++configured_;  // what was made for the other file serves nobody again, nor does what is under way
    spare_.clear();
}

Http::Watch &Http::watch(int fd) {
    const auto place = static_cast<std::size_t>(fd);
    if (place >= watched_.size()) watched_.resize(place + 1);
    return watched_[place];
}

void Http::unwatch(int fd) {
    epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
    watch(fd).for_what = 0;
}

std::optional<long> Http::due_in() const {
    std::optional<std::int64_t> at = due_at_;
    if (!deadlines_.empty()) at = std::min(at.value_or(deadlines_.begin()->first), deadlines_.begin()->first);
    if (!at) return std::nullopt;
    return std::max<std::int64_t>(*at - monotonic_ms(), 0);
}

// With what is the same for all requests.
std::unique_ptr<Http::Transfer> Http::make_transfer() {
    auto made = std::make_unique<Transfer>();
    made->http = this;
    made->configured = configured_;
    made->easy.reset(curl_easy_init());
    CURL *easy = made->easy.get();
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");  // whatever http_proxy says
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "pulse");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!ca_file_.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file_.c_str());
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a resolver that hangs is not waited for
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, made->said.data());
    curl_easy_setopt(easy, CURLOPT_PRIVATE, made.get());
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, HttpCallbacks::on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, made.get());
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, HttpCallbacks::on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, made.get());
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, HttpCallbacks::on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, made.get());
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, HttpCallbacks::on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, HttpCallbacks::before_request);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, made.get());
    return made;
}

void Http::start(std::uint64_t id, Request request, long timeout_ms) {
    std::unique_ptr<Transfer> taken;
    if (spare_.empty()) {
        taken = make_transfer();
    } else {
        taken = std::move(spare_.back());
        spare_.pop_back();
    }
    Transfer &transfer = *taken;
    transfer.id = id;
    transfer.request = std::move(request);
    transfer.timeout_ms = std::max(timeout_ms, 1L);
    transfer.deadline = monotonic_ms() + transfer.timeout_ms;
    transfer.allow = transfer.request.guarded ? allow_ : nullptr;
    transfer.response = {};
    transfer.said[0] = '\0';
    transfer.opened = false;
    transfer.request.headers.emplace_back("Expect:");  // never: it costs a round trip
    transfer.headers.clear();
    for (std::string &line : transfer.request.headers) transfer.headers.push_back({line.data(), nullptr});
    for (std::size_t n = 1; n < transfer.headers.size(); ++n) transfer.headers[n - 1].next = &transfer.headers[n];

    CURL *easy = transfer.easy.get();
    const std::string &method = transfer.request.method, &body = transfer.request.body;
    curl_easy_setopt(easy, CURLOPT_URL, transfer.request.url.c_str());
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers.data());
    if (method == "GET") {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    } else {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method == "GET" || method == "POST" ? nullptr : method.c_str());
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, std::min(transfer.timeout_ms, kConnectWithin));
    const auto url = webhook::parse_url(transfer.request.url);
    transfer.host = url ? url->host : std::string();
    transfer.port = url ? url->port : 0;
    // For a connection that is just being made: it will say whether it can be shared. Without TLS only an answer would say so, and one
    // that never comes would hold all others.
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, url && url->tls ? 1L : 0L);
    deadlines_.emplace(transfer.deadline, id);
    transfers_.emplace(id, std::move(taken));
    curl_multi_add_handle(multi_, easy);
}

bool Http::cancel(std::uint64_t id) {
    const auto found = transfers_.find(id);
    if (found == transfers_.end()) return false;
    const bool sent = found->second->response.sent;
    end(*found->second);
    return sent;
}

void Http::end(Transfer &transfer, bool again) {
    curl_multi_remove_handle(multi_, transfer.easy.get());
    deadlines_.erase({transfer.deadline, transfer.id});
    const auto found = transfers_.find(transfer.id);
    if (again && transfer.configured == configured_ && spare_.size() < kMostSpare) spare_.push_back(std::move(found->second));
    transfers_.erase(found);
}

Http::Done Http::conclude(Transfer &transfer, int code) {
    long status = 0;
    curl_easy_getinfo(transfer.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    Response &response = transfer.response;
    response.whole = code == CURLE_OK;
    response.status = status >= 200 ? static_cast<int>(status) : 0;
    if (response.status == 0 && !response.refused)
        response.failure = failure_of(static_cast<CURLcode>(code), transfer.said.data(), transfer.timeout_ms);
    redact(response, transfer.request.secrets);
    Done done{transfer.id, std::move(response)};
    end(transfer, code == CURLE_OK);
    return done;
}

std::vector<Http::Done> Http::drive() {
    const SignalsBlocked blocked;
    std::array<epoll_event, 64> events;
    int running = 0;
    for (int round = 0, ready = static_cast<int>(events.size()); round < kMostRounds && ready == static_cast<int>(events.size()); ++round) {
        ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
        for (int n = 0; n < ready; ++n) {
            const unsigned what = events[static_cast<std::size_t>(n)].events;
            const int fd = events[static_cast<std::size_t>(n)].data.fd;
            if (!watch(fd).wanted) {  // the other side has closed a connection that nobody uses; libcurl will find that
                unwatch(fd);
                continue;
            }
            const int mask = (what & EPOLLIN ? CURL_CSELECT_IN : 0) | (what & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                             (what & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
            curl_multi_socket_action(multi_, fd, mask, &running);
        }
    }
    if (due_at_ && *due_at_ <= monotonic_ms()) {
        due_at_.reset();
        curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    std::vector<Done> done;
    int left = 0;
    while (CURLMsg *message = curl_multi_info_read(multi_, &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        const CURLcode code = message->data.result;
        char *data = nullptr;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &data);
        done.push_back(conclude(*reinterpret_cast<Transfer *>(data), code));
    }
    while (!deadlines_.empty() && deadlines_.begin()->first <= monotonic_ms())
        done.push_back(conclude(*transfers_.at(deadlines_.begin()->second), CURLE_OPERATION_TIMEDOUT));
    return done;
}

}  // namespace pulse::queue
