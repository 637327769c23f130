// curl_loop: the same POST again and again by a bare libcurl multi loop, so many at a time, each answer checked for its status: what HTTP
// jobs cannot be faster than. Handles and connections are used again and nothing is made anew; sockets are driven by epoll.
// Started by tests/bench/run; prints one line of JSON.
#include "client/process.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <curl/curl.h>
#include <iostream>
#include <sys/epoll.h>
#include <unistd.h>

namespace {

struct Options {
    std::string url, body;
    std::vector<std::string> headers;
    long count = 10'000;
    int concurrency = 64;
};

class Loop {
public:
    explicit Loop(const Options &options)
        : options_(options), multi_(curl_multi_init()), epoll_(epoll_create1(EPOLL_CLOEXEC)),
          headers_(curl_slist_append(nullptr, "Expect:")) {
        for (const std::string &line : options.headers) headers_ = curl_slist_append(headers_, line.c_str());
        curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket);
        curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
        curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timer);
        curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
        curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(options.concurrency));
    }
    Loop(const Loop &) = delete;
    Loop &operator=(const Loop &) = delete;
    ~Loop() {
        for (CURL *easy : handles_) {
            curl_multi_remove_handle(multi_, easy);
            curl_easy_cleanup(easy);
        }
        curl_multi_cleanup(multi_);
        curl_slist_free_all(headers_);
        ::close(epoll_);
    }

    // Whether all were answered with 200.
    bool run() {
        for (int n = 0; n < options_.concurrency && started_ < options_.count; ++n) start(make());
        while (answered_ < options_.count && !failed_) turn();
        return !failed_;
    }

private:
    static int on_socket(CURL *, curl_socket_t fd, int what, void *user, void *known) noexcept {
        auto &loop = *static_cast<Loop *>(user);
        if (what == CURL_POLL_REMOVE) {
            epoll_ctl(loop.epoll_, EPOLL_CTL_DEL, fd, nullptr);
            return 0;
        }
        epoll_event event{};
        event.data.fd = fd;
        event.events = (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
        epoll_ctl(loop.epoll_, known == nullptr ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
        curl_multi_assign(loop.multi_, fd, &loop);
        return 0;
    }

    static int on_timer(CURLM *, long ms, void *user) noexcept {
        auto &loop = *static_cast<Loop *>(user);
        loop.due_ = ms < 0 ? -1 : bench::now_ns() + ms * 1'000'000;
        return 0;
    }

    static size_t on_body(char *, size_t one, size_t count, void *) noexcept { return one * count; }

    CURL *make() {
        CURL *easy = curl_easy_init();
        curl_easy_setopt(easy, CURLOPT_URL, options_.url.c_str());
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(options_.body.size()));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, options_.body.data());
        curl_easy_setopt(easy, CURLOPT_USERAGENT, "pulse");
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        handles_.push_back(easy);
        return easy;
    }

    void start(CURL *easy) {
        ++started_;
        curl_multi_add_handle(multi_, easy);
    }

    void turn() {
        std::array<epoll_event, 64> events;
        const long long left = due_ < 0 ? -1 : std::max((due_ - bench::now_ns() + 999'999) / 1'000'000, 0LL);
        const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), static_cast<int>(left));
        int running = 0;
        for (int n = 0; n < ready; ++n) {
            const epoll_event &event = events[static_cast<size_t>(n)];
            const int mask = (event.events & EPOLLIN ? CURL_CSELECT_IN : 0) | (event.events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                             (event.events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
            curl_multi_socket_action(multi_, event.data.fd, mask, &running);
        }
        if (due_ >= 0 && due_ <= bench::now_ns()) {
            due_ = -1;
            curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        int more = 0;
        while (const CURLMsg *message = curl_multi_info_read(multi_, &more))
            if (message->msg == CURLMSG_DONE) take(message->easy_handle, message->data.result);
    }

    void take(CURL *easy, CURLcode code) {
        long status = 0;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        curl_multi_remove_handle(multi_, easy);
        if (code != CURLE_OK || status != 200) {
            std::cerr << "curl_loop: status " << status << ", " << curl_easy_strerror(code) << std::endl;
            failed_ = true;
            return;
        }
        ++answered_;
        if (started_ < options_.count) start(easy);
    }

    const Options &options_;
    CURLM *multi_;
    int epoll_;
    curl_slist *headers_;
    std::vector<CURL *> handles_;
    long started_ = 0, answered_ = 0;
    long long due_ = -1;
    bool failed_ = false;
};

}  // namespace

int main(int argc, char **argv) {
    Options options;
    CLI::App app("The same POST by a bare libcurl multi loop");
    app.add_option("--url", options.url)->required();
    app.add_option("--body", options.body)->required();
    app.add_option("--header", options.headers);
    app.add_option("--count", options.count);
    app.add_option("--concurrency", options.concurrency);
    CLI11_PARSE(app, argc, argv);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const long long began = bench::now_ns();
    const double cpu = bench::cpu_seconds(getpid());
    Loop loop(options);
    if (!loop.run()) return 1;
    std::printf(R"({"requests":%ld,"seconds":%.6f,"cpu":%.3f})"
                "\n",
                options.count, static_cast<double>(bench::now_ns() - began) / 1e9, bench::cpu_seconds(getpid()) - cpu);
}
