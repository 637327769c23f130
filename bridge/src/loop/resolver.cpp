// A Lookup belongs to libuv from its start to its answer; Resolver and Resolve only point to it.
#include "loop/resolver.hpp"

#include <netdb.h>
#include <uv.h>

#include <algorithm>
#include <utility>

#include "loop/loop.hpp"

namespace bridge::loop {

namespace {
int g_unanswered = 0;
}

int Resolver::unanswered() { return g_unanswered; }

struct Resolve::Lookup {
    uv_getaddrinfo_t uv{};
    std::string host;
    Resolver *resolver = nullptr;  // null once the loop is ending
    std::vector<Resolve *> waiting;

    static void answered(uv_getaddrinfo_t *uv, int status, addrinfo *found);
};

void Resolve::Lookup::answered(uv_getaddrinfo_t *uv, int status, addrinfo *found) {
    const std::unique_ptr<Lookup> lookup(static_cast<Lookup *>(uv->data));
    --g_unanswered;
    if (lookup->resolver != nullptr) lookup->resolver->under_way_.erase(lookup->host);
    std::vector<std::string> addresses;
    for (const addrinfo *one = found; one != nullptr; one = one->ai_next) {
        char text[NI_MAXHOST] = "";
        if (getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0) addresses.emplace_back(text);
    }
    uv_freeaddrinfo(found);
    const std::string why = status < 0 ? uv_strerror(status) : addresses.empty() ? "it has no address" : "";
    while (!lookup->waiting.empty()) {  // a callback may destroy others that wait
        Resolve *const first = lookup->waiting.front();
        lookup->waiting.erase(lookup->waiting.begin());
        first->lookup_ = nullptr;
        first->answer(addresses, why);
    }
}

Resolve::Resolve(Callback callback) : callback_(std::move(callback)) {}

void Resolve::answer(std::vector<std::string> addresses, const std::string &why) {
    const Callback callback = std::move(callback_);  // it may destroy this object
    callback(std::move(addresses), why);
}

Resolve::~Resolve() {
    if (lookup_ != nullptr) std::erase(lookup_->waiting, this);
}

Resolver::~Resolver() {
    for (auto &[host, lookup] : under_way_) {
        lookup->resolver = nullptr;
        uv_cancel(reinterpret_cast<uv_req_t *>(&lookup->uv));  // works for those that no thread has begun
    }
}

std::unique_ptr<Resolve> Resolver::resolve(const std::string &host, Resolve::Callback callback) {
    std::unique_ptr<Resolve> one(new Resolve(std::move(callback)));
    auto &lookup = under_way_[host];
    if (lookup == nullptr) {
        auto fresh = std::make_unique<Resolve::Lookup>();
        fresh->host = host;
        fresh->resolver = this;
        fresh->uv.data = fresh.get();
        addrinfo hints{};
        hints.ai_family = AF_UNSPEC;
        hints.ai_socktype = SOCK_STREAM;
        const int status = uv_getaddrinfo(loop_.raw(), &fresh->uv, Resolve::Lookup::answered, host.c_str(), nullptr, &hints);
        if (status < 0) {  // too long for a name, or out of memory
            under_way_.erase(host);
            one->refused_ = loop_.timer();
            one->refused_->once(std::chrono::milliseconds(0),
                                [waits = one.get(), why = std::string(uv_strerror(status))] { waits->answer({}, why); });
            return one;
        }
        lookup = fresh.release();
        ++g_unanswered;
    }
    one->lookup_ = lookup;
    lookup->waiting.push_back(one.get());
    return one;
}

}  // namespace bridge::loop
