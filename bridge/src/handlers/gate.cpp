#include "handlers/gate.hpp"

#include <algorithm>
#include <utility>

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/scope.hpp"

namespace bridge::handlers {

RoomGate::RoomGate(Services &services, ClaimsPtr claims, Asker asker, std::string scope, std::vector<std::string> rooms, std::string cursor)
    : services_(services), claims_(std::move(claims)), asker_(std::move(asker)), scope_(std::move(scope)), rooms_(std::move(rooms)),
      cursor_(std::move(cursor)) {}

namespace {

// The answers for one listener's rooms as they come in; they share statements with everybody else's.
struct Gathering {
    Grant grant;
    std::optional<Cursor> cursor;
    std::vector<std::optional<Position>> member;  // it was in the room at the cursor, and may have what came after this
    std::vector<Result<db::Decision>> answers;
    std::size_t missing;
    Gate::Then then;
};

// All rooms at the lowest position at which one of them was decided: a cursor of it misses nothing in any of them.
Result<Grant> gathered(Gathering &all) {
    Grant grant = std::move(all.grant);
    for (std::size_t n = 0; n < all.answers.size(); ++n) {
        if (!all.answers[n]) return all.answers[n].error();
        const db::Decision &decision = *all.answers[n];
        if (!decision.allowed) {
            log::debug(
                "a listener was refused",
                {{"reason", decision.reason}, {"correlationId", grant.correlation_id}, log::given("traceparent", grant.traceparent)});
            if (decision.refusal) return *decision.refusal;
            return Error{Errc::forbidden, "you may not join the room " + grant.rooms[n].room};
        }
        if (n == 0 || decision.position.position < grant.position.position) grant.position = decision.position;
        grant.rooms[n].since = decision.position.position;
        if (all.cursor && !all.member[n] && !decision.recovered && grant.must_refetch.empty()) {
            grant.must_refetch = decision.must_refetch.empty() ? "unknown" : decision.must_refetch;
        }
    }
    if (all.cursor && grant.must_refetch.empty()) {
        grant.seen = all.cursor->position;
        for (std::size_t n = 0; n < all.answers.size(); ++n) {
            grant.rooms[n].since = all.member[n] ? *all.member[n] : (*all.answers[n]).since;
        }
    }
    return grant;
}

}  // namespace

void RoomGate::ask(bool resume, Then then) {
    auto all = std::make_shared<Gathering>();
    all->grant.claims = claims_;
    all->grant.scope = scope_;
    all->grant.correlation_id = services_.rng.id().view();
    all->grant.traceparent = asker_.traceparent;
    all->answers.assign(rooms_.size(), Errc::internal);
    all->missing = rooms_.size();
    all->then = std::move(then);
    for (const std::string &room : rooms_) all->grant.rooms.push_back({room, {}});
    if (resume && !cursor_.empty()) {
        if (auto cursor = Cursor::parse(cursor_)) {
            all->cursor = std::move(*cursor);
        } else {
            all->grant.must_refetch = "unknown";
        }
    }
    const Cursor head = services_.hub.cursor();
    const std::int64_t now = services_.deadlines.now();
    for (const std::string &room : rooms_) {
        all->member.push_back(all->cursor ? services_.admitted.since(claims_->user_id, room, *all->cursor, head, now) : std::nullopt);
    }
    for (std::size_t n = 0; n < rooms_.size(); ++n) {
        db::DecideRequest request;
        request.room = rooms_[n];
        request.context = context(claims_.get(), asker_, all->grant.correlation_id);
        if (all->cursor && !all->member[n]) request.since = cursor_;
        services_.queries.decide(std::move(request), [&services = services_, all, n](Result<db::Decision> answer) {
            all->answers[n] = std::move(answer);
            if (--all->missing > 0) return;
            const std::string correlation_id = all->grant.correlation_id;
            const ClaimsPtr claims = all->grant.claims;
            for (std::size_t m = 0; m < all->answers.size(); ++m) {
                if (all->answers[m] && !(*all->answers[m]).allowed) services.admitted.remove(claims->user_id, all->grant.rooms[m].room);
            }
            Result<Grant> grant = gathered(*all);
            if (grant) {
                const Position cursor = grant->seen.value_or(grant->position.position);
                for (const Grant::Room &room : grant->rooms) {
                    services.admitted.add(claims->user_id, room.room, {cursor, room.since}, grant->position, services.deadlines.now());
                }
            }
            all->then(std::move(grant), correlation_id);
        });
    }
}

namespace {

Grant granted(db::StreamAnswer answer, std::string path, bool wants_past) {
    Grant grant;
    if (path.empty()) path = "other";
    std::replace(path.begin(), path.end(), '\n', ' ');
    grant.scope = scope(path, std::move(answer.events));
    grant.position = std::move(answer.position);
    if (wants_past && answer.recovered) {
        grant.seen = answer.since;
    } else if (wants_past) {
        grant.must_refetch = answer.must_refetch.empty() ? "unknown" : std::move(answer.must_refetch);
    }
    for (std::string &room : answer.rooms) grant.rooms.push_back({std::move(room), grant.seen.value_or(grant.position.position)});
    grant.first = std::move(answer.first);
    return grant;
}

}  // namespace

void RequestGate::open(bool resume, std::function<void(Opened)> then) {
    db::RequestCall call;
    call.method = question_.method;
    call.path = question_.path;
    call.request = question_.request;
    call.trace = {question_.correlation_id.empty() ? std::string(services_.rng.id().view()) : question_.correlation_id,
                  question_.traceparent};
    call.context = question_.context;
    call.context.pop_back();
    call.context += R"(,"correlationId":)" + json::quote(call.trace.correlation_id);
    const bool wants_past = resume && !question_.cursor.empty();
    if (wants_past) call.context += R"(,"cursor":)" + json::quote(question_.cursor);
    call.context += '}';
    const Trace trace = call.trace;
    services_.queries.request(std::move(call),
                              [claims = question_.claims, wants_past, trace, then = std::move(then)](db::RequestAnswer answer) {
                                  Opened opened{Error{}, std::move(answer.method), std::move(answer.path), trace.correlation_id};
                                  if (!answer.what) {
                                      opened.what = std::move(answer.what).error();
                                  } else if (auto *response = std::get_if<db::Response>(&*answer.what)) {
                                      opened.what = std::variant<Grant, db::Response>(std::move(*response));
                                  } else {
                                      Grant grant = granted(std::get<db::StreamAnswer>(*std::move(answer.what)), opened.path, wants_past);
                                      grant.claims = claims;
                                      grant.correlation_id = trace.correlation_id;
                                      grant.traceparent = trace.traceparent;
                                      opened.what = std::variant<Grant, db::Response>(std::move(grant));
                                  }
                                  then(std::move(opened));
                              });
}

void RequestGate::ask(bool resume, Then then) {
    open(resume, [then = std::move(then)](Opened opened) {
        if (!opened.what) return then(opened.what.error(), opened.correlation_id);
        auto *grant = std::get_if<Grant>(&*opened.what);
        if (grant == nullptr) return then(Error{Errc::not_found, "the stream is not there any more"}, opened.correlation_id);
        then(std::move(*grant), opened.correlation_id);
    });
}

}  // namespace bridge::handlers
