#include "transport/key_waits.hpp"

#include <utility>

namespace bridge::transport {

class KeyWaits::One final : public http::Watcher {
public:
    One(KeyWaits &all, http::Exchange &exchange, std::uint64_t number) : all_(all), exchange_(&exchange), number_(number) {
        exchange.watch(*this);
    }
    ~One() override {
        if (exchange_ != nullptr) exchange_->unwatch();
    }
    One(const One &) = delete;
    One &operator=(const One &) = delete;

    http::Exchange &release() {
        exchange_->unwatch();
        return *std::exchange(exchange_, nullptr);
    }
    void complete(http::Exchange &) override {}
    void gone(http::Exchange &) override {
        exchange_ = nullptr;
        all_.all_.erase(number_);
    }

private:
    KeyWaits &all_;
    http::Exchange *exchange_;
    const std::uint64_t number_;
};

bool KeyWaits::hold(http::Exchange &exchange, std::string_view token, std::function<void(http::Exchange &)> go) {
    const std::uint64_t number = ++last_number_;
    const auto ready = [this, number, go = std::move(go)] {
        const auto found = all_.find(number);
        if (found == all_.end()) return;  // the client went
        http::Exchange &waited = static_cast<One &>(*found->second).release();
        all_.erase(found);
        go(waited);
    };
    if (!handlers::await_key(services_, token, ready)) return false;
    all_.emplace(number, std::make_unique<One>(*this, exchange, number));
    return true;
}

}  // namespace bridge::transport
