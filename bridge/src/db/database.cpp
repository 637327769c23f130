// The questions as statements, and their rows as plain structs.
#include "db/database.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/log.hpp"
#include "db/sql_error.hpp"

namespace bridge::db {

namespace {

constexpr int kBatchesAtOnce = 2;

QueryPool::Options handler_pool(const Database::Options &options) {
    QueryPool::Options pool;
    pool.name = "handlers";
    pool.conninfo = options.conninfo;
    pool.size = options.pool_size;
    pool.prepare = {&kHandle, &kAnswer};
    return pool;
}

// Apart from handlers: requests come from anybody, to any path, also without a token.
QueryPool::Options request_pool(const Database::Options &options) {
    QueryPool::Options pool;
    pool.name = "requests";
    pool.conninfo = options.conninfo;
    pool.size = std::max(1, options.pool_size / 2);
    pool.prepare = {&kRequest};
    return pool;
}

QueryPool::Options question_pool(const Database::Options &options) {
    QueryPool::Options pool;
    pool.name = "questions " + options.bridge_name;  // the sessions' bookkeeping takes its last word
    pool.conninfo = options.conninfo;
    pool.size = 2;
    pool.depth = 16;
    pool.patience_up = std::chrono::seconds(30);  // ten thousand who come back at once wait rather than try again
    pool.prepare = {&kConnect, &kRefresh, &kDecide, &kStatus, &kQueues, &kSessions, &kRevocations};
    return pool;
}

// The client's part of a failed statement; what only the log may know is logged here, and a limit is counted.
Error failure(Metrics &metrics, const SqlError &error, const char *what, const Trace &trace) {
    const Error out = to_error(error);
    if (!out.limit_class.empty()) metrics.rate_limited(out.limit_class).Increment();
    if (out.code == Errc::internal) {
        log::error("statement failed", {{"statement", what},
                                        {"correlationId", trace.correlation_id},
                                        log::given("traceparent", trace.traceparent),
                                        {"sqlstate", error.sqlstate},
                                        {"message", error.message},
                                        {"detail", error.detail},
                                        {"hint", error.hint}});
    }
    return out;
}

Error bad_answer(const char *what, const Trace &trace) {
    log::error("the database's answer has not the agreed form",
               {{"statement", what}, log::given("correlationId", trace.correlation_id), log::given("traceparent", trace.traceparent)});
    return Error{Errc::internal, "internal error", "", 0};
}

// bytea[] as array text: `{"\\x00ff","\\x"}`; NULL when there are none.
Parameter bytea_array(const std::vector<std::string> &attachments) {
    if (attachments.empty()) return std::nullopt;
    static constexpr char kHex[] = "0123456789abcdef";
    std::string out = "{";
    for (const std::string &bytes : attachments) {
        if (out.size() > 1) out += ',';
        out += "\"\\\\x";
        for (const char c : bytes) {
            const auto byte = static_cast<unsigned char>(c);
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        }
        out += '"';
    }
    return out + "}";
}

// Member `key` of `object`, or the type's zero when it is missing or something else.
std::string text_of(const json::Value &object, const char *key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}
std::uint64_t number_of(const json::Value &object, const char *key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

double seconds_of(const json::Value &object, const char *key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

std::optional<ConnectAnswer> connect_answer(std::string_view text) {
    const json::Limits limits{.max_bytes = 64 * 1024 * 1024, .max_depth = 10'000};
    const auto members = json::members(text, limits, 100, json::DuplicateKeys::kept);
    if (!members) return std::nullopt;
    const auto raw = [&](std::string_view key) {
        for (const auto &[name, value] : *members) {
            if (name == key) return value;
        }
        return std::string_view("null");
    };
    const auto rooms = json::parse(raw("rooms"), limits);
    auto position = Cursor::parse(json::unquote(raw("position")).value_or(""));
    if (!rooms || !rooms->is_array() || !position) return std::nullopt;

    ConnectAnswer answer;
    answer.position = std::move(*position);
    if (raw("recovered") == "true") {
        const auto session = json::parse(raw("session"), limits);
        if (!session || !session->is_object()) return std::nullopt;
        const auto key = PublicId::parse(text_of(*session, "key"));
        const auto socket_id = PublicId::parse(text_of(*session, "socketId"));
        const auto cursor = Cursor::parse(text_of(*session, "cursor"));
        if (!key || !socket_id || !cursor) return std::nullopt;
        answer.recovered = StoredSession{*key, *socket_id, number_of(*session, "generation"), cursor->position};
    }
    if (raw("mustRefetch") != "null") answer.must_refetch = json::unquote(raw("mustRefetch")).value_or("");
    if (raw("effects") != "null") answer.effects = raw("effects");
    if (raw("leases") != "null") answer.leases = raw("leases");
    for (const auto &room : *rooms) {
        if (room.is_string()) {
            answer.rooms.push_back({room.get<std::string>(), answer.position.position});
        } else if (room.is_object()) {
            answer.rooms.push_back({text_of(room, "room"), Position{number_of(room, "since")}});
        } else {
            return std::nullopt;
        }
    }
    return answer;
}

// The ack alone, or an object that has effects too.
std::optional<HandleAnswer> handle_answer(std::string_view text) {
    if (text.starts_with('[')) return HandleAnswer{std::string(text), "[]", {}};
    const auto members = json::members(text, {.max_bytes = text.size() + 1, .max_depth = 10'000}, 10, json::DuplicateKeys::kept);
    if (!members) return std::nullopt;
    HandleAnswer answer;
    for (const auto &[key, value] : *members) {
        if (key == "ack") answer.ack = value;
        if (key == "effects") answer.effects = value;
        if (key != "position" || value == "null") continue;
        auto position = Cursor::parse(json::unquote(value).value_or(""));
        if (!position) return std::nullopt;
        answer.position = std::move(*position);
    }
    if (!answer.ack.starts_with('[') || !answer.effects.starts_with('[')) return std::nullopt;
    return answer;
}

std::optional<RefreshAnswer> refresh_answer(std::string_view text) {
    const auto object = json::parse(text, {.max_bytes = 64 * 1024 * 1024});
    if (!object || !object->is_object()) return std::nullopt;
    auto position = Cursor::parse(text_of(*object, "position"));
    if (!position) return std::nullopt;
    RefreshAnswer answer{{}, {}, std::move(*position)};
    for (const auto &[key, rooms] : {std::pair("left", &answer.left), std::pair("joined", &answer.joined)}) {
        const auto found = object->find(key);
        if (found == object->end() || !found->is_array()) return std::nullopt;
        for (const auto &room : *found) {
            if (room.is_string()) rooms->push_back(room.get<std::string>());
        }
    }
    return answer;
}

// A policy's own words: an SQL error, as JSON. What cannot be read is nothing: then the client hears the general ones.
std::optional<SqlError> policy_error(std::string_view text) {
    const auto error = json::parse(text);
    if (!error || !error->is_object()) return std::nullopt;
    return SqlError{text_of(*error, "sqlstate"), text_of(*error, "message"), text_of(*error, "detail"), text_of(*error, "hint")};
}

}  // namespace

Database::Database(loop::Loop &loop, Rng &rng, Metrics &metrics, Options options)
    : loop_(loop), metrics_(metrics), options_(std::move(options)), handlers_(loop, rng, handler_pool(options_)),
      questions_(loop, rng, question_pool(options_)), requests_(loop, rng, request_pool(options_)) {}

Database::~Database() = default;

void Database::start() {
    handlers_.start();
    questions_.start();
    requests_.start();
}

void Database::stop() {
    handlers_.stop();
    questions_.stop();
    requests_.stop();
    for (auto &waiting : std::exchange(decisions_, {})) {
        waiting.then(Error{Errc::unavailable, "the bridge is stopping", "", 0});
    }
}

void Database::connect(std::string nsp, std::string context, Trace trace, Then<ConnectAnswer> then) {
    questions_.run(kConnect, {std::move(nsp), std::move(context)}, options_.patience_connect,
                   [this, then = std::move(then), trace = std::move(trace)](Answer answer) {
                       if (const auto *error = std::get_if<SqlError>(&answer))
                           return then(failure(metrics_, *error, "handle_connect", trace));
                       const Rows &rows = std::get<Rows>(answer);
                       auto read = connect_answer(rows.size() == 1 ? rows.text(0, 0) : std::string_view());
                       then(read ? Result<ConnectAnswer>(std::move(*read)) : bad_answer("handle_connect", trace));
                   });
}

void Database::refresh(std::string nsp, std::string context, Trace trace, Then<RefreshAnswer> then) {
    questions_.run(kRefresh, {std::move(nsp), std::move(context)}, options_.patience_handle,
                   [this, then = std::move(then), trace = std::move(trace)](Answer answer) {
                       if (const auto *error = std::get_if<SqlError>(&answer))
                           return then(failure(metrics_, *error, "handle_refresh", trace));
                       const Rows &rows = std::get<Rows>(answer);
                       auto read = refresh_answer(rows.size() == 1 ? rows.text(0, 0) : std::string_view());
                       then(read ? Result<RefreshAnswer>(std::move(*read)) : bad_answer("handle_refresh", trace));
                   });
}

void Database::handle(HandleRequest request, Then<HandleAnswer> then) {
    std::vector<Parameter> parameters{std::move(request.nsp), std::move(request.event), std::move(request.args),
                                      std::move(request.context)};
    parameters.push_back(bytea_array(request.attachments));
    const auto began = std::chrono::steady_clock::now();
    handlers_.run(kHandle, std::move(parameters), options_.patience_handle,
                  [this, began, then = std::move(then), trace = std::move(request.trace)](Answer answer) {
                      metrics_.handler_latency().Observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
                      if (const auto *error = std::get_if<SqlError>(&answer)) {
                          then(failure(metrics_, *error, "handle", trace));
                          return;
                      }
                      const Rows &rows = std::get<Rows>(answer);
                      auto read = handle_answer(rows.size() == 1 ? rows.text(0, 0) : std::string_view());
                      then(read ? Result<HandleAnswer>(std::move(*read)) : bad_answer("handle", trace));
                  });
}

void Database::answer(AnswerRequest request, Then<HandleAnswer> then) {
    Parameter args = std::nullopt;
    args.text = std::move(request.args);
    handlers_.run(kAnswer, {std::move(request.function), std::move(args), std::move(request.context), bytea_array(request.attachments)},
                  options_.patience_connect, [this, then = std::move(then), trace = std::move(request.trace)](Answer answer) {
                      if (const auto *error = std::get_if<SqlError>(&answer))
                          return then(failure(metrics_, *error, "handle_answer", trace));
                      const Rows &rows = std::get<Rows>(answer);
                      if (rows.size() != 1) return then(bad_answer("handle_answer", trace));
                      auto cursor = Cursor::parse(rows.text(0, 1));
                      then(HandleAnswer{{}, std::string(rows.text(0, 0)), cursor ? std::move(*cursor) : Cursor{}});
                  });
}

void Database::request(RequestCall call, std::function<void(RequestAnswer)> then) {
    requests_.run(kRequest, {std::move(call.method), std::move(call.path), std::move(call.request), std::move(call.context)},
                  options_.patience_request, [this, then = std::move(then), trace = std::move(call.trace)](Answer answer) {
                      if (const auto *error = std::get_if<SqlError>(&answer)) {
                          return then(failed_request(failure(metrics_, *error, "handle_request", trace), error->context));
                      }
                      const Rows &rows = std::get<Rows>(answer);
                      auto read = read_request_answer(rows.size() == 1 ? rows.text(0, 0) : std::string_view());
                      then(read ? std::move(*read) : RequestAnswer(bad_answer("handle_request", trace)));
                  });
}

void Database::decide(DecideRequest request, Then<Decision> then) {
    decisions_.push_back(Waiting{std::move(request), std::move(then)});
    if (flush_posted_) return;
    flush_posted_ = true;
    loop_.post([this] {
        flush_posted_ = false;
        send_decisions();
    });
}

// While two batches are under way the next one grows: a storm of joins becomes few statements. While nobody is up they wait in the
// pool instead, whose bound and patience answer them.
void Database::send_decisions() {
    while (!decisions_.empty() && (batches_under_way_ < kBatchesAtOnce || questions_.up() == 0)) {
        const std::size_t size = std::min(decisions_.size(), options_.decisions_a_batch);
        const auto end = decisions_.begin() + static_cast<std::ptrdiff_t>(size);
        auto batch = std::make_shared<std::vector<Waiting>>(std::make_move_iterator(decisions_.begin()), std::make_move_iterator(end));
        decisions_.erase(decisions_.begin(), end);
        std::string requests = "[";
        for (const Waiting &waiting : *batch) {
            if (requests.size() > 1) requests += ',';
            const DecideRequest &request = waiting.request;
            requests += R"({"operation":"join","room":)" + json::quote(request.room);
            if (!request.session.empty()) {
                requests += R"(,"session":)" + json::quote(request.session) + R"(,"generation":)" + std::to_string(request.generation);
            }
            if (!request.since.empty()) requests += R"(,"since":)" + json::quote(request.since);
            requests += R"(,"context":)" + request.context + "}";
        }
        requests += ']';
        ++batches_under_way_;
        metrics_.decisions().Increment(static_cast<double>(size));
        metrics_.decision_batches().Increment();
        questions_.run(kDecide, {std::move(requests)}, options_.patience_connect, [this, batch](Answer answer) {
            --batches_under_way_;
            if (const auto *error = std::get_if<SqlError>(&answer)) {
                const Error out = failure(metrics_, *error, "decide", {});
                for (Waiting &waiting : *batch) waiting.then(out);
            } else {
                const Rows &rows = std::get<Rows>(answer);
                const bool complete = rows.size() == static_cast<int>(batch->size());
                for (int n = 0; n < static_cast<int>(batch->size()); ++n) {
                    Waiting &waiting = (*batch)[static_cast<std::size_t>(n)];
                    if (!complete) {
                        waiting.then(bad_answer("decide", {}));
                        continue;
                    }
                    Decision decision;
                    decision.allowed = rows.text(n, 1) == "t";
                    decision.reason = rows.text(n, 2);
                    if (auto cursor = Cursor::parse(rows.text(n, 3))) decision.position = std::move(*cursor);
                    decision.recovered = rows.text(n, 4) == "t";
                    decision.must_refetch = rows.text(n, 5);
                    const std::string_view since = rows.text(n, 6);
                    std::from_chars(since.data(), since.data() + since.size(), decision.since.value);
                    if (const auto words = rows.is_null(n, 7) ? std::nullopt : policy_error(rows.text(n, 7)))
                        decision.refusal = failure(metrics_, *words, "decide", {});
                    waiting.then(std::move(decision));
                }
            }
            send_decisions();
        });
    }
}

void Database::sessions(std::string bridge, std::string changes, Then<std::string> then) {
    questions_.run(kSessions, {std::move(bridge), std::move(changes)}, options_.patience_handle,
                   [this, then = std::move(then)](Answer answer) {
                       if (const auto *error = std::get_if<SqlError>(&answer))
                           return then(failure(metrics_, *error, "bridge_sessions", {}));
                       const Rows &rows = std::get<Rows>(answer);
                       const auto tree = json::parse(rows.size() == 1 ? rows.text(0, 0) : std::string_view());
                       const bool wanted = tree && tree->is_object() && tree->contains("leases") && (*tree)["leases"].is_string();
                       then(wanted ? (*tree)["leases"].get<std::string>() : std::string());
                   });
}

void Database::revocations(Then<std::vector<Revocation>> then) {
    questions_.run(kRevocations, {}, options_.patience_handle, [this, then = std::move(then)](Answer answer) {
        if (const auto *error = std::get_if<SqlError>(&answer)) return then(failure(metrics_, *error, "bridge_revocations", {}));
        const Rows &rows = std::get<Rows>(answer);
        const auto list = json::parse(rows.size() == 1 ? rows.text(0, 0) : std::string_view(), {.max_bytes = 256 * 1024 * 1024});
        if (!list || !list->is_array()) return then(bad_answer("bridge_revocations", {}));
        std::vector<Revocation> revocations;
        for (const auto &one : *list) {
            if (!one.is_object()) return then(bad_answer("bridge_revocations", {}));
            revocations.push_back(
                {text_of(one, "userId"), text_of(one, "jti"), seconds_of(one, "revokedAt"), seconds_of(one, "expiresAt")});
        }
        then(std::move(revocations));
    });
}

void Database::status(Then<std::string> then) { ask_json(kStatus, std::move(then)); }
void Database::queues(Then<std::string> then) { ask_json(kQueues, std::move(then)); }

void Database::ask_json(const Query &query, Then<std::string> then) {
    questions_.run(query, {}, std::chrono::milliseconds(0), [this, &query, then = std::move(then)](Answer answer) {
        if (const auto *error = std::get_if<SqlError>(&answer)) {
            then(failure(metrics_, *error, query.name, {}));
            return;
        }
        const Rows &rows = std::get<Rows>(answer);
        if (rows.size() != 1) {
            then(bad_answer(query.name, {}));
            return;
        }
        then(std::string(rows.text(0, 0)));
    });
}

}  // namespace bridge::db
