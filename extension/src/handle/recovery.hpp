// A client that comes back with the secret of its session: may it go on where it was? Either everything from its cursor on, in
// all rooms that the session was in, or a reason why it must fetch anew; never a part.
#pragma once

#include "handle/sessions.hpp"

namespace pulse::handle {

class Recovery {
public:
    // `json`: {"pid":"…","cursor":"…"|null}. Checks everything that no policy or connect function has to say.
    // `arrived_at`: when the client stood at its bridge, in ms since 1970; 0: not known.
    static Recovery begin(Oid owner, std::string_view json, const auth::Context &context, int64 arrived_at,
                          const std::optional<Cursor> &decided);

    const std::optional<std::string> &refused() const { return refused_; }  // the reason
    const std::string &key() const { return session_.key; }
    const std::string &socket_id() const { return session_.socket_id; }

    // Asks the policies of the stored rooms that were not given anew: user code, so nothing is locked meanwhile.
    bool still_allowed(Oid owner, const auth::Context &context, const std::vector<std::string> &given);
    // Takes the session over for `bridge`, with this `data` from here on. False, of either: it was refused; everything done under its key
    // is to be rolled back.
    bool take_over(Oid owner, const auth::Context &context, const std::string &bridge, const std::vector<std::string> &given,
                   const std::optional<Cursor> &decided, const std::optional<std::string> &data, const std::optional<std::string> &device);
    const std::optional<std::string> &data() const { return session_.data; }  // as it was stored
    // Somebody changed or took over the session while the policies were asked: it is worth another try.
    bool changed() const { return changed_; }

    std::vector<std::string> dropped() const;                        // stored rooms that it is not in any more
    const std::vector<Membership> &rooms() const { return rooms_; }  // joined_at: where the replay of the room begins
    std::string session_json() const;

private:
    void check(const auth::Context &context, const std::optional<std::string> &cursor, const std::optional<Cursor> &decided);
    void check_evictions();

    Session session_;
    std::optional<std::string> refused_;
    bool changed_ = false;
    int64 arrived_at_ = 0;
    std::string cursor_;
    int64 since_ = 0;
    std::vector<Membership> kept_;  // stored rooms that no eviction ended
    std::vector<Membership> rooms_;
};

}  // namespace pulse::handle
