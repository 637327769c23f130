// The access token of a service account by the JWT bearer grant (RFC 7523): asked for when it is first needed, again some minutes before
// it ends, and once more when it was refused. Pure: the HTTP worker sends the grant and says what came back.
//
//      nothing ──grant()──▶ asked ──answer: good──▶ has one ──refresh time──▶ asked, has one ──▶ …
//         ▲                   │ bad                    │ refuse()
//         └──── after a wait ─┴────────────────────────┘
#pragma once

#include "queue/channel.hpp"
#include "queue/secrets.hpp"

namespace pulse::queue {

class AccessToken {
public:
    // Of this account from now on; another one's token is forgotten. `url` overrides the account's.
    void use(const ServiceAccount &account, std::string_view url);
    void forget_account();

    // nullptr: none that is good.
    const std::string *get(std::int64_t now) const;
    // Whether grant() should be sent now.
    bool wanted(std::int64_t now) const { return !asked_ && now >= ask_at_ && account_.has_value(); }
    Request grant(std::int64_t now);
    void answer(const Response &response, std::int64_t now);
    // The other side did not take this one: it is asked for again, unless that has happened already.
    void refuse(std::string_view token);
    // Why there is none, while another try has to wait; with the wait.
    std::optional<Outcome> failure(std::int64_t now) const;
    // Another number for another account: an answer to a grant of before is nobody's.
    unsigned generation() const { return generation_; }

private:
    void begin_again();
    void failed(std::string why, const Response &response, std::int64_t now);

    std::optional<ServiceAccount> account_;
    std::string url_, token_, why_;
    std::int64_t ends_ = 0, ask_at_ = 0;
    bool asked_ = false;
    int failures_ = 0;
    unsigned generation_ = 0;
};

}  // namespace pulse::queue
