// Where settings come from, which source wins, and that every mistake names its key.
#include "config/config.hpp"

#include <cstdio>
#include <fstream>

#include <unistd.h>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "config/schema.hpp"

namespace bridge::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char *kSecret = "PULSE_JWT_SECRET=0123456789abcdef0123456789abcdef";
constexpr const char *kDatabase = "PULSE_DATABASE_URL=postgres://u@h/db";

Result<Invocation> run(std::vector<const char *> arguments, std::vector<const char *> environment = {kSecret, kDatabase}) {
    arguments.insert(arguments.begin(), "pulse-bridge");
    environment.push_back(nullptr);
    return load(static_cast<int>(arguments.size()), arguments.data(), environment.data());
}

struct File {
    std::string path = testing::TempDir() + "pulse_config_" + std::to_string(getpid()) + "_" + std::to_string(counter++);
    explicit File(const std::string &text) { std::ofstream(path, std::ios::binary) << text; }
    ~File() { std::remove(path.c_str()); }
    File(const File &) = delete;
    File &operator=(const File &) = delete;
    static inline int counter = 0;
};

TEST(Config, HasTheContractsDefaults) {
    const auto loaded = run({});
    ASSERT_TRUE(loaded);
    const Config &c = loaded->config;
    EXPECT_EQ(loaded->command, Command::serve);
    EXPECT_EQ(c.listen.text(), "127.0.0.1:8080");
    EXPECT_EQ(c.internal_listen.text(), "127.0.0.1:8081");
    EXPECT_EQ(c.ping_interval, 25s);
    EXPECT_EQ(c.ping_timeout, 20s);
    EXPECT_EQ(c.connect_timeout, 45s);
    EXPECT_EQ(c.max_payload, 1'000'000U);
    EXPECT_FALSE(c.allow_anonymous);
}

TEST(Config, FlagsWinOverEnvironmentOverFile) {
    const File file("listen = \"1.1.1.1:1\"\nping-interval = \"1s\"\npool-size = 9\ncors-origin = [\"https://a\", \"https://b\"]\n");
    const auto loaded = run({"--config", file.path.c_str(), "--listen", "3.3.3.3:3"},
                            {kSecret, kDatabase, "PULSE_LISTEN=2.2.2.2:2", "PULSE_PING_INTERVAL=2s"});
    ASSERT_TRUE(loaded) << loaded.error().detail;
    EXPECT_EQ(loaded->config.listen.text(), "3.3.3.3:3");
    EXPECT_EQ(loaded->config.ping_interval, 2s);
    EXPECT_EQ(loaded->config.pool_size, 9);
    EXPECT_THAT(loaded->config.cors_origins, ElementsAre("https://a", "https://b"));
    const std::string name = "PULSE_CONFIG=" + file.path;
    EXPECT_EQ(run({}, {kSecret, kDatabase, name.c_str()})->config.pool_size, 9);
}

TEST(Config, ListsMayBeRepeatedOrSeparatedByCommas) {
    EXPECT_THAT(run({"--cors-origin", "a", "--cors-origin=b"})->config.cors_origins, ElementsAre("a", "b"));
    EXPECT_THAT(run({}, {kSecret, kDatabase, "PULSE_CORS_ORIGIN=a,b"})->config.cors_origins, ElementsAre("a", "b"));
}

TEST(Config, FlagsMayStandOnEitherSideOfTheSubcommand) {
    EXPECT_EQ(run({"serve", "--pool-size", "7"})->config.pool_size, 7);
    EXPECT_EQ(run({"--pool-size", "7", "check"})->config.pool_size, 7);
    EXPECT_EQ(run({"check"})->command, Command::check);
    EXPECT_EQ(run({"version"}, {})->command, Command::version);
    EXPECT_EQ(run({"--print-config"}, {})->command, Command::print_config);
    EXPECT_TRUE(run({"--allow-anonymous"})->config.allow_anonymous);
}

TEST(Config, UnknownKeysAreErrorsThatNameThem) {
    EXPECT_THAT(run({"--lisen", "x"}).error().detail, HasSubstr("--lisen"));
    EXPECT_THAT(run({"fly"}).error().detail, HasSubstr("fly"));
    const File unknown("lisen = \"x\"\n"), section("[http]\nlisten = \"x:1\"\n");
    EXPECT_THAT(run({"--config", unknown.path.c_str()}).error().detail, HasSubstr("unknown key lisen"));
    EXPECT_THAT(run({"--config", section.path.c_str()}).error().detail, HasSubstr("http"));
    EXPECT_THAT(run({"--config", "/no/such/file"}).error().detail, HasSubstr("/no/such/file"));
}

TEST(Config, BadValuesNameTheirSourceAndSayWhatIsWanted) {
    EXPECT_THAT(run({"--ping-interval", "soon"}).error().detail, HasSubstr("--ping-interval: 'soon'"));
    EXPECT_THAT(run({"--ping-interval", "soon"}).error().hint, HasSubstr("25s"));
    EXPECT_THAT(run({}, {kSecret, kDatabase, "PULSE_POOL_SIZE=many"}).error().detail, HasSubstr("PULSE_POOL_SIZE: 'many'"));
    EXPECT_THAT(run({"--log-level", "loud"}).error().detail, HasSubstr("debug, info, warn, error"));
    EXPECT_THAT(run({"--listen", "8080"}).error().detail, HasSubstr("--listen"));
    EXPECT_THAT(run({"--max-payload", "999"}).error().detail, HasSubstr("1000"));
    const File file("allow-anonymous = \"maybe\"\n");
    EXPECT_THAT(run({"--config", file.path.c_str()}).error().detail, HasSubstr("allow-anonymous in"));
}

TEST(Config, DemandsADatabaseAndAKey) {
    EXPECT_THAT(run({}, {kSecret}).error().detail, HasSubstr("--database-url"));
    EXPECT_THAT(run({}, {kDatabase}).error().detail, HasSubstr("PULSE_JWT_SECRET"));
    EXPECT_TRUE(run({"--allow-anonymous"}, {kDatabase}));
    EXPECT_THAT(run({"--internal-listen", "127.0.0.1:8080"}).error().detail, HasSubstr("--internal-listen"));
}

TEST(Config, M10LimitsHaveTheContractsNamesAndAreOffWhereTheyWouldSurprise) {
    const Config c = run({})->config;
    EXPECT_EQ(c.max_connections, 100'000U);
    EXPECT_EQ(c.max_connections_per_ip, 0U);
    EXPECT_EQ(c.connect_rate, 0U);
    EXPECT_EQ(c.event_rate, 0U);
    EXPECT_EQ(c.tls_min, "1.3");
    const auto loaded =
        run({"--max-connections", "5",     "--max-connections-per-ip", "3",     "--connect-rate", "7",  "--event-rate",     "9",
             "--max-rooms",       "11",    "--max-header-bytes",       "4000",  "--drain-rate",   "13", "--header-timeout", "200ms",
             "--body-timeout",    "300ms", "--keep-alive-timeout",     "400ms", "--sse-retry",    "1s"});
    ASSERT_TRUE(loaded) << loaded.error().detail;
    const Config &given = loaded->config;
    EXPECT_EQ(given.max_connections_per_ip, 3U);
    EXPECT_EQ(given.connect_rate, 7U);
    EXPECT_EQ(given.event_rate, 9U);
    EXPECT_EQ(given.max_rooms, 11U);
    EXPECT_EQ(given.max_header_bytes, 4000U);
    EXPECT_EQ(given.drain_rate, 13U);
    EXPECT_EQ(given.header_timeout, 200ms);
    EXPECT_EQ(given.body_timeout, 300ms);
    EXPECT_EQ(given.keep_alive_timeout, 400ms);
    EXPECT_EQ(given.sse_retry, 1s);
    EXPECT_FALSE(run({"--drain-rate", "0"}));
    EXPECT_FALSE(run({"--event-rate", "-1"}));
    EXPECT_FALSE(run({"--max-header-bytes", "10"}));
}

TEST(Config, M10TlsIsAPairAndItsVersionOneOfTwo) {
    EXPECT_THAT(run({"--tls-cert-file", "c"}).error().detail, HasSubstr("--tls-key-file"));
    EXPECT_THAT(run({"--tls-key-file", "k"}).error().detail, HasSubstr("--tls-cert-file"));
    EXPECT_THAT(run({"--internal-tls"}).error().detail, HasSubstr("--internal-tls"));
    EXPECT_THAT(run({"--tls-min", "1.1"}).error().detail, HasSubstr("--tls-min: '1.1'"));
    const auto loaded = run({"--tls-cert-file", "c", "--tls-key-file", "k", "--tls-min", "1.2", "--internal-tls"});
    ASSERT_TRUE(loaded) << loaded.error().detail;
    EXPECT_EQ(loaded->config.tls_min, "1.2");
    EXPECT_TRUE(loaded->config.internal_tls);
}

TEST(Config, M10TrustedProxiesAreNetworks) {
    EXPECT_THAT(run({"--trust-proxy", "10.0.0.0/8", "--trust-proxy", "::1"})->config.trusted_proxies, ElementsAre("10.0.0.0/8", "::1"));
    EXPECT_THAT(run({"--trust-proxy", "10.0.0.1/8"}).error().detail, HasSubstr("--trust-proxy: '10.0.0.1/8'"));
    EXPECT_THAT(run({"--trust-proxy", "nginx"}).error().hint, HasSubstr("10.0.0.0/8"));
}

TEST(Config, SecretsAreNoFlagsAndMayComeFromFiles) {
    EXPECT_FALSE(run({"--jwt-secret", "0123456789abcdef"}));
    EXPECT_FALSE(run({"--internal-token", "x"}));
    const File secret("the secret of the file\n");
    const auto loaded = run({"--jwt-secret-file", secret.path.c_str()}, {kDatabase});
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->config.jwt_secret, "the secret of the file");
    EXPECT_THAT(run({"--jwt-secret-file", secret.path.c_str()}).error().detail, HasSubstr("twice"));
    EXPECT_THAT(run({"--jwt-secret-file", "/no/such"}, {kDatabase}).error().detail, HasSubstr("/no/such"));
    const File key("PEM");
    EXPECT_THAT(run({"--jwt-public-key-file", key.path.c_str()}, {kDatabase})->config.jwt_public_keys, ElementsAre("PEM"));
}

TEST(Config, PrintShowsEverythingButSecrets) {
    Config config;
    config.jwt_secret = "hidden-one";
    config.internal_tokens = {"hidden-two", "hidden-three"};
    config.database_url = "postgresql://user:hidden-three@host:5432/db?sslmode=require&password=hidden-four";
    config.cors_origins = {"https://a \"b\""};
    const std::string text = print(config);
    EXPECT_THAT(text, Not(HasSubstr("hidden")));
    EXPECT_THAT(text, HasSubstr("database-url = \"postgresql://user:***@host:5432/db?sslmode=require&password=***\""));
    EXPECT_THAT(text, HasSubstr("ping-interval = \"25s\""));
    EXPECT_THAT(text, HasSubstr(R"(cors-origin = ["https://a \"b\""])"));
    for (const Setting &setting : settings()) EXPECT_THAT(text, HasSubstr(std::string(setting.name) + " = "));
    config.database_url = "host=h password='hidden \\' five' dbname=d password=hidden-six";
    EXPECT_THAT(print(config), Not(HasSubstr("hidden")));
    EXPECT_THAT(print(config), HasSubstr("dbname=d"));
}

TEST(Config, WhatPrintSaysIsReadBackAsTheSame) {
    const std::string text =
        print(run({"--ping-interval", "300ms", "--cors-origin", "x", "--allow-anonymous", "--pool-size", "3"}, {kDatabase})->config);
    const File file(text);
    const auto again = run({"--config", file.path.c_str()}, {});
    ASSERT_TRUE(again) << again.error().detail;
    EXPECT_EQ(print(again->config), text);
}

TEST(Config, HelpNamesEverySettingAndItsVariable) {
    const std::string help = run({"--help"})->help;
    for (const Setting &setting : settings()) {
        EXPECT_THAT(help, HasSubstr(setting.environment_name()));
        if (!setting.secret) {
            EXPECT_THAT(help, HasSubstr("--" + std::string(setting.name)));
        }
    }
}

TEST(Token, MintTakesUserClaimsAndLife) {
    const auto loaded = run({"token", "mint", "--user", "u\"1", "--claim", "role=rescuer", "--claim", "n=5", "--claim", "list=[1]",
                             "--claim", "eq=a=b", "--expires", "1h"});
    ASSERT_TRUE(loaded) << loaded.error().detail;
    EXPECT_EQ(loaded->command, Command::token_mint);
    const auto tree = json::parse(payload(loaded->token, std::chrono::system_clock::time_point(1000s), "an id"));
    ASSERT_TRUE(tree);
    EXPECT_EQ((*tree)["userId"], "u\"1");
    EXPECT_EQ((*tree)["sub"], "u\"1");
    EXPECT_EQ((*tree)["role"], "rescuer");
    EXPECT_EQ((*tree)["n"], 5);
    EXPECT_EQ((*tree)["list"][0], 1);
    EXPECT_EQ((*tree)["eq"], "a=b");
    EXPECT_EQ((*tree)["iat"], 1000);
    EXPECT_EQ((*tree)["exp"], 4600);
    EXPECT_EQ((*tree)["jti"], "an id");
}

TEST(Token, WhatAClaimSaysCounts) {
    const auto loaded =
        run({"token", "mint", "--user", "u1", "--reconnect", "--claim", "sub=s1", "--claim", "exp=7", "--claim", "jti=mine"});
    ASSERT_TRUE(loaded) << loaded.error().detail;
    EXPECT_EQ(payload(loaded->token, std::chrono::system_clock::time_point(1000s), "an id"),
              R"({"userId":"u1","use":"reconnect","sub":"s1","exp":7,"jti":"mine","iat":1000})");
}

TEST(Config, AJwksComesFromAFileOrSafely) {
    const char *database = "PULSE_DATABASE_URL=postgresql:///x";
    for (const char *good :
         {"/etc/keys.json", "https://issuer.example/keys", "http://127.0.0.1:8000/keys", "http://localhost/keys", "http://[::1]:80/keys"}) {
        const auto loaded = run({"--jwt-jwks", good}, {database});
        ASSERT_TRUE(loaded) << loaded.error().detail;
        EXPECT_EQ(loaded->config.jwt_jwks, good);
    }
    for (const char *bad :
         {"http://issuer.example/keys", "http://127.0.0.1.evil.example/keys", "ftp://issuer.example/keys", "file:///etc/keys.json"}) {
        EXPECT_THAT(run({"--jwt-jwks", bad}, {database}).error().detail, HasSubstr(bad));
    }
}

TEST(Config, TheSecretsAlgorithmIsOneOfHmac) {
    EXPECT_EQ(run({"--jwt-algorithm", "HS512", "token", "mint"}, {kSecret})->config.jwt_algorithm, "HS512");
    for (const char *bad : {"none", "RS256", "hs256", ""}) EXPECT_FALSE(run({"--jwt-algorithm", bad, "token", "mint"}, {kSecret})) << bad;
}

TEST(Token, MintNeedsASecretButNoDatabase) {
    EXPECT_TRUE(run({"token", "mint"}, {kSecret}));
    EXPECT_THAT(run({"token", "mint"}, {}).error().detail, HasSubstr("PULSE_JWT_SECRET"));
    EXPECT_FALSE(run({"token"}));
    EXPECT_THAT(run({"token", "mint", "--claim", "novalue"}).error().detail, HasSubstr("novalue"));
    EXPECT_THAT(run({"token", "mint", "--expires", "x"}).error().detail, HasSubstr("--expires"));
}

TEST(Durations, HaveUnits) {
    const std::pair<const char *, milliseconds> good[] = {{"25s", 25s},    {"300ms", 300ms}, {"5m", 5min}, {"24h", 24h},
                                                          {"7d", 7 * 24h}, {"45", 45s},      {"0", 0ms}};
    for (const auto &[text, value] : good) EXPECT_EQ(*parse_duration(text), value) << text;
    for (const char *text : {"", "s", "-1s", "1.5s", "1 s", "1S", "1w", "99999999999999999999s", "4000000d", "+1s"})
        EXPECT_FALSE(parse_duration(text)) << text;
    for (const milliseconds value : {0ms, 1ms, 1500ms, 25000ms, 60000ms, 3600000ms, 86400000ms}) {
        EXPECT_EQ(*parse_duration(format_duration(value)), value);
    }
    EXPECT_EQ(format_duration(90s), "90s");
}

TEST(Endpoints, AreHostAndPort) {
    EXPECT_EQ(parse_endpoint("[::1]:8080")->host, "::1");
    EXPECT_EQ(parse_endpoint("[::1]:8080")->text(), "[::1]:8080");
    EXPECT_EQ(parse_endpoint("localhost:0")->port, 0);
    for (const char *text : {"", ":1", "h:", "h:65536", "h:-1", "h", "::1:80", "h:1x", "[]:1"}) EXPECT_FALSE(parse_endpoint(text)) << text;
}

}  // namespace
}  // namespace bridge::config
