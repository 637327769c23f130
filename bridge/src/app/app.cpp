// Members of Parts are in order of dependence: made from top to bottom, destroyed from bottom to top.
#include "app/app.hpp"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "app/certificate.hpp"
#include "app/drain.hpp"
#include "app/encoder.hpp"
#include "app/health.hpp"
#include "app/jwks.hpp"
#include "app/keys.hpp"
#include "app/queues.hpp"
#include "auth/jwt.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/rng.hpp"
#include "db/database.hpp"
#include "db/history_reader.hpp"
#include "db/listener.hpp"
#include "handlers/client.hpp"
#include "handlers/services.hpp"
#include "handlers/system_events.hpp"
#include "hub/hub.hpp"
#include "loop/loop.hpp"
#include "loop/wheel.hpp"
#include "net/stream.hpp"
#include "transport/refusals.hpp"
#include "transport/server.hpp"

namespace bridge::app {

namespace {

constexpr auto kStatusEvery = std::chrono::seconds(1);
constexpr auto kQueuesEvery = std::chrono::seconds(5);

void raise_descriptor_limit(std::size_t connections) {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    const rlim_t wanted = connections + net::kMostGoodbyes + transport::Refusals::kMostRead + 256;
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ? wanted : std::min<rlim_t>(wanted, limit.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
        log::warn("the descriptor limit is below max-connections", {{"limit", static_cast<std::int64_t>(limit.rlim_cur)}});
    }
}

// The machine and the port: application_name holds 63 bytes.
std::string bridge_name(const config::Config &config) {
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') return config.listen.text();
    const std::string_view first = std::string_view(host).substr(0, std::string_view(host).find('.'));
    return std::string(first.substr(0, 30)) + ":" + std::to_string(config.listen.port);
}

hub::HubOptions hub_options(const config::Config &config) {
    hub::HubOptions options;
    options.max_queue_bytes = config.max_queue_bytes;
    options.max_rooms_per_session = config.max_rooms;
    options.replay_buffer_bytes = config.replay_buffer_bytes;
    return options;
}

handlers::HandlerOptions handler_options(const config::Config &config) {
    handlers::HandlerOptions options;
    options.allow_anonymous = config.allow_anonymous;
    options.recovery = config.recovery;
    options.connect_timeout = config.connect_timeout;
    options.max_waiting = config.handler_queue;
    options.max_waiting_bytes = 2 * config.max_payload;
    options.event_rate = config.event_rate;
    return options;
}

db::HistoryReader::Options history_options(const config::Config &config) {
    db::HistoryReader::Options options;
    options.conninfo = config.database_url;
    options.history.window = config.max_queue_bytes / 2;
    options.history.max_events = config.recovery_max_events;
    return options;
}

db::ListenerOptions listener_options(const config::Config &config) {
    db::ListenerOptions options;
    options.conninfo = config.database_url;
    options.bridge_name = config.listen.text() + "/" + std::to_string(getpid());
    return options;
}

transport::ServerOptions server_options(const config::Config &config, const net::TlsContext *tls) {
    transport::ServerOptions options;
    options.host = config.listen.host;
    options.port = config.listen.port;
    options.internal_host = config.internal_listen.host;
    options.internal_port = config.internal_listen.port;
    for (const std::string &network : config.trusted_proxies) options.trusted_proxies.push_back(*Network::parse(network));
    options.admission = {.max_connections = config.max_connections,
                         .max_per_ip = config.max_connections_per_ip,
                         .rate = config.connect_rate,
                         .trusted_proxies = options.trusted_proxies};
    options.tls = tls;
    options.internal_tls = config.internal_tls ? tls : nullptr;
    options.http = {.max_header_bytes = config.max_header_bytes,
                    .max_body = config.max_payload,
                    .head_deadline = config.header_timeout.count(),
                    .body_deadline = config.body_timeout.count(),
                    .idle_deadline = config.keep_alive_timeout.count()};
    options.internal_tokens = config.internal_tokens;
    options.cors.origins = config.cors_origins;
    options.sse = {.retry = config.sse_retry, .ping_interval = config.ping_interval.count()};
    options.session = {.ping_interval = config.ping_interval.count(),
                       .ping_timeout = config.ping_timeout.count(),
                       .max_payload = config.max_payload,
                       .max_sessions = config.max_connections,
                       .polling = {.max_connections = config.max_connections,
                                   .max_per_ip = config.max_connections_per_ip,
                                   .trusted_proxies = options.trusted_proxies},
                       .engineio_echo = config.engineio_echo};
    return options;
}

}  // namespace

struct App::Parts {
    Parts(const config::Config &c, const char *version, const char *commit)
        : config(c), metrics(version, commit), deadlines(loop), verifier(make_verifier(c, clock)),
          jwks(loop, verifier, {c.jwt_jwks, c.jwt_jwks_refresh, c.jwt_jwks_min_interval}), encoder(c.recovery, &metrics),
          hub(hub_options(c), encoder, clock, metrics),
          database(loop, rng, metrics, {.conninfo = c.database_url, .bridge_name = bridge_name(c), .pool_size = c.pool_size}),
          history(loop, rng, metrics, hub, history_options(c)), listener(loop, rng, metrics, hub, listener_options(c)),
          bookkeeper(database, deadlines, rng.id()), leases(bookkeeper, deadlines),
          revocations(clock), services{hub,         history.history(),  database,  bookkeeper, leases,
                                       revocations, verifier,           deadlines, clock,      rng,
                                       metrics,     handler_options(c), {},        {}},
          system_events(services), tls(load_certificate(c, clock)),
          server(loop, services, server_options(c, tls.get()),
                 {[this] { return health(facts()); }, [this](bool internal) { return ready(facts(), internal); },
                  [this] { return metrics_page(); }}),
          drain(
              loop, services, {c.drain_timeout, c.drain_rate}, [this] { return server.drained(); }, [this] { loop.stop(); }),
          status_timer(loop.timer()), queues_timer(loop.timer()), flush_timer(loop.timer()) {}

    Facts facts() const {
        Facts facts;
        facts.listener = listener.health();
        facts.pools_up = database.up();
        facts.waiting_statements = database.waiting();
        const transport::Server::Counts counts = server.counts();
        facts.websockets = counts.websocket;
        facts.polling = counts.polling;
        facts.sse = counts.sse;
        facts.poll = counts.poll;
        facts.draining = drain.started();
        facts.status = status;
        return facts;
    }
    http::Reply metrics_page() {
        http::Reply reply;
        reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
        reply.body = metrics.render();
        return reply;
    }
    void ask_status();
    void ask_queues();
    void stop(int signal);
    void reload_internal_tokens();

    const config::Config config;
    SystemClock clock;
    SystemRng rng;
    Metrics metrics;
    loop::Loop loop;
    loop::WheelTimer deadlines;
    auth::Verifier verifier;
    Jwks jwks;
    FrameEncoder encoder;
    hub::Hub hub;
    db::Database database;
    db::HistoryReader history;
    db::Listener listener;
    handlers::Bookkeeper bookkeeper;
    handlers::Leases leases;
    handlers::Revocations revocations;
    handlers::Services services;
    handlers::SystemEvents system_events;
    std::unique_ptr<net::TlsContext> tls;  // null: plain
    transport::Server server;
    Drain drain;
    std::unique_ptr<loop::Timer> status_timer, queues_timer, flush_timer;
    Queues queues{metrics};
    bool queues_under_way = false;
    std::unique_ptr<loop::Signal> sigterm, sigint, sighup;
    std::optional<std::string> status;
    bool status_under_way = false;
};

App::App(const config::Config &config, const char *version, const char *commit) {
    log::set_level(config.log_level);
    if (const auto valid = db::check_conninfo(config.database_url); !valid) throw std::runtime_error(valid.error().detail);
    raise_descriptor_limit(config.max_connections);
    mallopt(M_ARENA_MAX, 1);  // one thread allocates
    std::signal(SIGPIPE, SIG_IGN);
    parts_ = std::make_unique<Parts>(config, version, commit);
}

App::~App() = default;

int App::run() {
    Parts &p = *parts_;
    p.sigterm = p.loop.signal(SIGTERM, [&p](int number) { p.stop(number); });
    p.sigint = p.loop.signal(SIGINT, [&p](int number) { p.stop(number); });
    p.sighup = p.loop.signal(SIGHUP, [&p](int) {
        reload_certificate(p.tls.get(), p.clock);
        p.reload_internal_tokens();
        reload_keys(p.config, p.verifier);
        p.jwks.read();
    });
    if (!p.config.jwt_jwks.empty()) p.services.await_keys = [&p](std::function<void()> then) { return p.jwks.await(std::move(then)); };
    p.jwks.start();
    p.loop.at_turn_end([&p] {
        p.history.history().turn();
        if (const auto pause = p.hub.flush()) p.flush_timer->once(*pause, [] {});  // the turn's end is what it is for
        if (p.history.history().ready()) p.loop.wake();
    });
    p.database.start();
    p.bookkeeper.start();
    p.system_events.start();
    p.listener.start();
    p.status_timer->every(kStatusEvery, [&p] { p.ask_status(); });
    p.queues_timer->every(kQueuesEvery, [&p] { p.ask_queues(); });
    p.server.start();
    log::info("serving", {{"listen", p.config.listen.host + ":" + std::to_string(p.server.port())},
                          {"internal", p.config.internal_listen.host + ":" + std::to_string(p.server.internal_port())}});
    p.loop.run();

    p.status_timer->stop();
    p.queues_timer->stop();
    p.listener.stop();
    p.history.stop();
    p.database.stop();
    log::info("stopped", {{"connectionsLeft", p.hub.connections()}});
    return 0;
}

void App::Parts::ask_status() {
    if (status_under_way) return;
    if (!database.up()) {
        status.reset();
        return;
    }
    status_under_way = true;
    database.status([this](Result<std::string> answer) {
        status_under_way = false;
        if (answer) {
            status = std::move(*answer);
        } else {
            status.reset();
        }
    });
}

void App::Parts::ask_queues() {
    if (queues_under_way || !database.up()) return;
    queues_under_way = true;
    database.queues([this](Result<std::string> answer) {
        queues_under_way = false;
        if (answer) queues.show(*answer);
    });
}

void App::Parts::reload_internal_tokens() {
    if (config.internal_token_file.empty()) return;
    auto tokens = config::read_internal_tokens(config.internal_token_file);
    if (!tokens) return log::error("the internal tokens stay as they were", {{"reason", tokens.error().detail}});
    log::info("internal tokens read", {{"tokens", tokens->size()}});
    server.use_internal_tokens(std::move(*tokens));
}

// A second signal ends the process at once.
void App::Parts::stop(int number) {
    if (drain.started()) return loop.stop();
    log::info("draining", {{"signal", number}, {"connections", hub.connections()}});
    server.drain();
    drain.start();
}

}  // namespace bridge::app
