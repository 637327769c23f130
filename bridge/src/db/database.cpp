// The five questions as statements, and their rows as plain structs.
#include "db/database.hpp"

#include <charconv>
#include <utility>

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
    pool.prepare = {&kHandle};
    return pool;
}

QueryPool::Options question_pool(const Database::Options &options) {
    QueryPool::Options pool;
    pool.name = "questions";
    pool.conninfo = options.conninfo;
    pool.size = 2;
    pool.depth = 16;
    pool.prepare = {&kConnect, &kDecide, &kStatus};
    return pool;
}

// The client's part of a failed statement; what only the log may know is logged here.
Error failure(const SqlError &error, const char *what, std::string_view correlation_id) {
    const Error out = to_error(error);
    if (out.code == Errc::internal) {
        log::error("statement failed", {{"statement", what},
                                        {"correlationId", correlation_id},
                                        {"sqlstate", error.sqlstate},
                                        {"message", error.message},
                                        {"detail", error.detail},
                                        {"hint", error.hint}});
    }
    return out;
}

Error bad_answer(const char *what) {
    log::error("the database's answer has not the agreed form", {{"statement", what}});
    return Error{Errc::internal, "internal error", "", 0};
}

// bytea[] as array text: `{"\\x00ff","\\x"}`
std::string bytea_array(const std::vector<std::string> &attachments) {
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

Result<ConnectAnswer> connect_answer(const Rows &rows) {
    if (rows.size() != 1 || rows.is_null(0, 0)) return bad_answer("handle_connect");
    auto tree = json::parse(rows.text(0, 0), {.max_bytes = 64 * 1024 * 1024});
    if (!tree || !tree->is_object() || !tree->contains("rooms") || !(*tree)["rooms"].is_array() || !tree->contains("position") ||
        !(*tree)["position"].is_string()) {
        return bad_answer("handle_connect");
    }
    ConnectAnswer answer;
    for (const auto &room : (*tree)["rooms"]) {
        if (!room.is_string()) return bad_answer("handle_connect");
        answer.rooms.push_back(room.get<std::string>());
    }
    BRIDGE_TRY(cursor, Cursor::parse((*tree)["position"].get<std::string>()));
    answer.position = std::move(cursor);
    return answer;
}

}  // namespace

Database::Database(loop::Loop &loop, Rng &rng, Metrics &metrics, Options options)
    : loop_(loop), metrics_(metrics), options_(std::move(options)), handlers_(loop, rng, handler_pool(options_)),
      questions_(loop, rng, question_pool(options_)) {}

Database::~Database() = default;

void Database::start() {
    handlers_.start();
    questions_.start();
}

void Database::stop() {
    handlers_.stop();
    questions_.stop();
    for (auto &waiting : std::exchange(decisions_, {})) {
        waiting.then(Error{Errc::unavailable, "the bridge is stopping", "", 0});
    }
}

void Database::connect(std::string nsp, std::string context, std::string correlation_id, Then<ConnectAnswer> then) {
    questions_.run(kConnect, {std::move(nsp), std::move(context)}, options_.patience_connect,
                   [then = std::move(then), id = std::move(correlation_id)](Answer answer) {
                       if (const auto *error = std::get_if<SqlError>(&answer)) {
                           then(failure(*error, "handle_connect", id));
                       } else {
                           then(connect_answer(std::get<Rows>(answer)));
                       }
                   });
}

void Database::handle(HandleRequest request, Then<HandleAnswer> then) {
    std::vector<Parameter> parameters{std::move(request.nsp), std::move(request.event), std::move(request.args),
                                      std::move(request.context)};
    if (request.attachments.empty()) {
        parameters.emplace_back(std::nullopt);
    } else {
        parameters.emplace_back(bytea_array(request.attachments));
    }
    const auto began = std::chrono::steady_clock::now();
    handlers_.run(kHandle, std::move(parameters), options_.patience_handle,
                  [this, began, then = std::move(then), id = std::move(request.correlation_id)](Answer answer) {
                      metrics_.handler_latency().Observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
                      if (const auto *error = std::get_if<SqlError>(&answer)) {
                          then(failure(*error, "handle", id));
                          return;
                      }
                      const Rows &rows = std::get<Rows>(answer);
                      if (rows.size() != 1) {
                          then(bad_answer("handle"));
                          return;
                      }
                      auto cursor = Cursor::parse(rows.text(0, 2));
                      then(HandleAnswer{rows.is_null(0, 0) ? "[]" : std::string(rows.text(0, 0)),
                                        rows.is_null(0, 1) ? "[]" : std::string(rows.text(0, 1)), cursor ? std::move(*cursor) : Cursor{}});
                  });
}

void Database::decide(std::string room, std::string context, Then<Decision> then) {
    decisions_.push_back(Waiting{std::move(room), std::move(context), std::move(then)});
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
            requests += R"({"operation":"join","room":)";
            json::append_quoted(requests, waiting.room);
            requests += R"(,"context":)" + waiting.context + "}";
        }
        requests += ']';
        ++batches_under_way_;
        questions_.run(kDecide, {std::move(requests)}, options_.patience_connect, [this, batch](Answer answer) {
            --batches_under_way_;
            if (const auto *error = std::get_if<SqlError>(&answer)) {
                const Error out = failure(*error, "decide", "");
                for (Waiting &waiting : *batch) waiting.then(out);
            } else {
                const Rows &rows = std::get<Rows>(answer);
                const bool complete = rows.size() == static_cast<int>(batch->size());
                for (int n = 0; n < static_cast<int>(batch->size()); ++n) {
                    Waiting &waiting = (*batch)[static_cast<std::size_t>(n)];
                    if (!complete) {
                        waiting.then(bad_answer("decide"));
                        continue;
                    }
                    auto cursor = Cursor::parse(rows.text(n, 3));
                    waiting.then(Decision{rows.text(n, 1) == "t", std::string(rows.text(n, 2)), cursor ? std::move(*cursor) : Cursor{}});
                }
            }
            send_decisions();
        });
    }
}

void Database::status(Then<std::string> then) {
    questions_.run(kStatus, {}, std::chrono::milliseconds(0), [then = std::move(then)](Answer answer) {
        if (const auto *error = std::get_if<SqlError>(&answer)) {
            then(failure(*error, "status", ""));
            return;
        }
        const Rows &rows = std::get<Rows>(answer);
        if (rows.size() != 1) {
            then(bad_answer("status"));
            return;
        }
        then(std::string(rows.text(0, 0)));
    });
}

}  // namespace bridge::db
