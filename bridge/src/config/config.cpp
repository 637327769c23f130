// Collects texts from three layers (file, environment, flags; later ones win), then applies each once through the schema, so that all
// sources have the same forms and the same errors.
#include "config/config.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include <CLI/CLI.hpp>

#include "base/json.hpp"
#include "config/schema.hpp"

namespace bridge::config {

namespace {

struct Given {
    std::vector<std::string> values;
    std::string source;  // how the user knows it: --flag, PULSE_NAME or "key in file"
};
using Layers = std::map<std::string_view, Given>;

Error wrong(const std::string &source, const Error &why) { return {Errc::invalid, source + ": " + why.detail, why.hint}; }

const Setting *find_setting(std::string_view name) {
    for (const Setting &setting : settings()) {
        if (setting.name == name) return &setting;
    }
    return nullptr;
}

Result<void> read_file(const std::string &path, Layers &layers) {
    std::ifstream in(path);
    if (!in) return Error{Errc::invalid, "--config: cannot read '" + path + "'", {}};
    std::vector<CLI::ConfigItem> items;
    try {
        items = CLI::ConfigTOML().from_config(in);
    } catch (const std::exception &e) {
        return Error{Errc::invalid, path + ": " + e.what(), {}};
    }
    for (CLI::ConfigItem &item : items) {
        const Setting *setting = item.parents.empty() ? find_setting(item.name) : nullptr;
        if (!setting) {
            const bool section = item.name == "++" || item.name == "--";
            const std::string key = section ? "[" + (item.parents.empty() ? std::string() : item.parents.front()) + "]" : item.fullname();
            return Error{Errc::invalid, "unknown key " + key + " in " + path, {}};
        }
        if (setting->form != Setting::Form::list && item.inputs.size() != 1) {
            return Error{Errc::invalid, item.name + " in " + path + ": one value is wanted", {}};
        }
        layers[setting->name] = {std::move(item.inputs), item.name + " in " + path};
    }
    return {};
}

std::optional<std::string> environment_value(const char *const *environment, const std::string &name) {
    for (; environment && *environment; ++environment) {
        const std::string_view entry = *environment;
        if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
            return std::string(entry.substr(name.size() + 1));
        }
    }
    return std::nullopt;
}

void read_environment(const char *const *environment, Layers &layers) {
    for (const Setting &setting : settings()) {
        const std::string name = setting.environment_name();
        const auto value = environment_value(environment, name);
        if (!value) continue;
        Given given{{}, name};
        if (setting.form == Setting::Form::list) {
            std::istringstream parts(*value);
            for (std::string part; std::getline(parts, part, ',');) given.values.push_back(part);
        } else {
            given.values.push_back(*value);
        }
        layers[setting.name] = std::move(given);
    }
}

Result<void> apply_layers(const Layers &layers, Config &config) {
    // in the order of the table: a secret's value comes before its file, so "given twice" is noticed
    for (const Setting &setting : settings()) {
        const auto found = layers.find(setting.name);
        if (found == layers.end()) continue;
        auto done = setting.set(config, found->second.values);
        if (!done) return wrong(found->second.source, done.error());
    }
    return {};
}

Result<void> check(const Config &config, Command command) {
    if (command == Command::version || command == Command::print_config) return {};
    if (command == Command::token_mint) {
        if (config.jwt_secret.empty()) return Error{Errc::invalid, "token mint: set PULSE_JWT_SECRET or --jwt-secret-file", {}};
        return {};
    }
    if (config.database_url.empty()) {
        return Error{Errc::invalid, "--database-url: missing", "a libpq connection string, also PULSE_DATABASE_URL"};
    }
    if (config.jwt_secret.empty() && config.jwt_public_keys.empty() && config.jwt_jwks.empty() && !config.allow_anonymous) {
        return Error{Errc::invalid,
                     "no key to verify tokens with: set PULSE_JWT_SECRET, --jwt-secret-file, --jwt-public-key-file or --jwt-jwks",
                     "or let everybody in with --allow-anonymous"};
    }
    if (config.listen.port != 0 && config.listen.text() == config.internal_listen.text()) {
        return Error{Errc::invalid, "--internal-listen: the same address as --listen", {}};
    }
    if (config.tls_cert_file.empty() != config.tls_key_file.empty()) {
        const std::string missing = config.tls_cert_file.empty() ? "--tls-cert-file" : "--tls-key-file";
        return Error{Errc::invalid, missing + ": missing", "TLS needs a certificate and its key"};
    }
    if (config.internal_tls && config.tls_cert_file.empty()) {
        return Error{Errc::invalid, "--internal-tls: without a certificate", "set --tls-cert-file and --tls-key-file"};
    }
    return {};
}

// The flags of the schema as strings; the values are understood later.
void declare(CLI::App &app, std::map<std::string_view, std::vector<std::string>> &flags) {
    for (const Setting &setting : settings()) {
        if (setting.secret) continue;
        const std::string flag = "--" + std::string(setting.name);
        const std::string help = std::string(setting.help) + " (" + setting.environment_name() + ")";
        CLI::Option *option = nullptr;
        if (setting.form == Setting::Form::flag) {
            option = app.add_flag_function(
                flag + ",!--no-" + std::string(setting.name),
                [&flags, name = setting.name](std::int64_t count) { flags[name] = {count > 0 ? "true" : "false"}; }, help);
        } else {
            option = app.add_option(flag, flags[setting.name], help)->type_name(std::string(setting.type))->expected(1);
            option->multi_option_policy(setting.form == Setting::Form::list ? CLI::MultiOptionPolicy::TakeAll
                                                                            : CLI::MultiOptionPolicy::TakeLast);
        }
        option->group("Settings");
    }
}

Result<void> read_claims(const std::vector<std::string> &texts, TokenRequest &token) {
    for (const std::string &text : texts) {
        const std::size_t equals = text.find('=');
        if (equals == std::string::npos || equals == 0) return Error{Errc::invalid, "--claim: '" + text + "' is not name=value", {}};
        token.claims.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    return {};
}

std::string mask_password(std::string url) {
    if (const std::size_t scheme = url.find("://"); scheme != std::string::npos) {
        const std::size_t host = url.find('@', scheme + 3);
        const std::size_t colon = url.find(':', scheme + 3);
        if (host != std::string::npos && colon < host) url.replace(colon + 1, host - colon - 1, "***");
    }
    for (std::size_t at = 0; (at = url.find("password=", at)) != std::string::npos;) {
        at += 9;
        std::size_t end = at;
        if (end < url.size() && url[end] == '\'') {
            for (++end; end < url.size() && url[end] != '\''; ++end) {
                if (url[end] == '\\') ++end;
            }
            end = std::min(end + 1, url.size());
        } else {
            end = std::min(url.find_first_of(" &", at), url.size());
        }
        url.replace(at, end - at, "***");
    }
    return url;
}

}  // namespace

Result<Invocation> load(int argc, const char *const *argv, const char *const *environment) {
    Invocation invocation;
    CLI::App app("pulse-bridge: sockets on one side, PostgreSQL on the other", "pulse-bridge");
    app.fallthrough();
    app.require_subcommand(0, 1);

    std::map<std::string_view, std::vector<std::string>> flags;
    std::string file, expires = "24h";
    std::vector<std::string> claims;
    bool print_config = false;
    app.add_option("--config", file, "configuration file, key = value (PULSE_CONFIG)")->type_name("PATH");
    app.add_flag("--print-config", print_config, "print the effective configuration, secrets masked, and end");
    declare(app, flags);
    app.footer("Never as flags, since argv is public: PULSE_JWT_SECRET, PULSE_INTERNAL_TOKEN (or their files).");

    app.add_subcommand("serve", "accept clients (the default)");
    CLI::App *check_command = app.add_subcommand("check", "check configuration, keys and database, and end");
    CLI::App *version_command = app.add_subcommand("version", "print version and commit");
    CLI::App *token_command = app.add_subcommand("token", "tokens for development");
    token_command->require_subcommand(1);
    CLI::App *mint_command = token_command->add_subcommand("mint", "print a token signed with the JWT secret");
    mint_command->add_option("--user", invocation.token.user, "user id (claims userId and sub)")->type_name("ID");
    mint_command->add_option("--claim", claims, "further claim, JSON or text; repeatable")
        ->type_name("NAME=VALUE")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    mint_command->add_flag("--reconnect", invocation.token.reconnect, "a reconnect token: good for coming back only");
    mint_command->add_option("--expires", expires, "life of the token")->type_name("TIME");

    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp &) {
        invocation.help = app.help();
        return invocation;
    } catch (const CLI::CallForAllHelp &) {
        invocation.help = app.help("", CLI::AppFormatMode::All);
        return invocation;
    } catch (const CLI::ParseError &e) {
        return Error{Errc::invalid, e.what(), "pulse-bridge --help lists all settings"};
    }

    if (print_config) {
        invocation.command = Command::print_config;
    } else if (check_command->parsed()) {
        invocation.command = Command::check;
    } else if (version_command->parsed()) {
        invocation.command = Command::version;
    } else if (mint_command->parsed()) {
        invocation.command = Command::token_mint;
    }

    Layers layers;
    if (file.empty()) file = environment_value(environment, "PULSE_CONFIG").value_or("");
    if (!file.empty()) BRIDGE_CHECK(read_file(file, layers));
    read_environment(environment, layers);
    for (auto &[name, values] : flags) {
        if (!values.empty()) layers[name] = {std::move(values), "--" + std::string(name)};
    }
    BRIDGE_CHECK(apply_layers(layers, invocation.config));
    BRIDGE_CHECK(read_claims(claims, invocation.token));
    const auto life = parse_duration(expires);
    if (!life) return wrong("--expires", life.error());
    invocation.token.expires = std::chrono::duration_cast<std::chrono::seconds>(*life);
    BRIDGE_CHECK(check(invocation.config, invocation.command));
    return invocation;
}

std::string print(const Config &config) {
    std::string out;
    for (const Setting &setting : settings()) {
        const std::vector<std::string> values = setting.get(config);
        out.append(setting.name).append(" = ");
        const auto text = [&](const std::string &value) {
            if (setting.secret && !value.empty()) return json::quote("***");
            return json::quote(setting.name == "database-url" ? mask_password(value) : value);
        };
        if (setting.form == Setting::Form::flag) {
            out += values.front();
        } else if (setting.form == Setting::Form::list) {
            out += '[';
            for (std::size_t i = 0; i < values.size(); ++i) out.append(i ? ", " : "").append(text(values[i]));
            out += ']';
        } else {
            out += text(values.front());
        }
        out += '\n';
    }
    return out;
}

std::string payload(const TokenRequest &request, std::chrono::system_clock::time_point now, std::string_view id) {
    const auto seconds = [](auto at) { return std::to_string(std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count()); };
    std::string out = "{";
    const auto add = [&out](std::string_view name, std::string_view value) {
        if (out.size() > 1) out += ',';
        json::append_quoted(out, name);
        out.append(":").append(value);
    };
    // What a claim says counts.
    const auto unless_given = [&](std::string_view name, const std::string &value) {
        const auto given = [name](const auto &claim) { return claim.first == name; };
        if (std::none_of(request.claims.begin(), request.claims.end(), given)) add(name, value);
    };
    if (!request.user.empty()) {
        unless_given("userId", json::quote(request.user));
        unless_given("sub", json::quote(request.user));
    }
    if (request.reconnect) unless_given("use", json::quote("reconnect"));
    for (const auto &[name, value] : request.claims) add(name, json::scan(value) ? value : json::quote(value));
    unless_given("iat", seconds(now));
    unless_given("exp", seconds(now + request.expires));
    unless_given("jti", json::quote(id));
    return out + "}";
}

}  // namespace bridge::config
