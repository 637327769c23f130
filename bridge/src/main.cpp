// argv → Config → App. The only place that ends the process: 0 done, 1 a check failed, 2 bad usage or nothing to start with.
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

#include "app/app.hpp"
#include "app/commands.hpp"
#include "config/config.hpp"

namespace {

int fail(const std::string &sentence, const std::string &hint = {}) {
    std::cerr << "pulse-bridge: " << sentence << "\n";
    if (!hint.empty()) std::cerr << "hint: " << hint << "\n";
    return 2;
}

int run(int argc, char **argv) {
    auto invocation = bridge::config::load(argc, argv, environ);
    if (!invocation) return fail(invocation.error().detail, invocation.error().hint);
    if (!invocation->help.empty()) {
        std::cout << invocation->help;
        return 0;
    }
    using bridge::config::Command;
    switch (invocation->command) {
        case Command::version: std::cout << "pulse-bridge " << PULSE_VERSION << " (" << PULSE_COMMIT << ")\n"; return 0;
        case Command::print_config: std::cout << bridge::config::print(invocation->config); return 0;
        case Command::token_mint: return bridge::app::mint_token(invocation->config, invocation->token, std::cout, std::cerr);
        case Command::check: return bridge::app::check(invocation->config, std::cout, std::cerr);
        case Command::serve: return bridge::app::App(invocation->config, PULSE_VERSION, PULSE_COMMIT).run();
    }
    return fail("unknown command");
}

}  // namespace

int main(int argc, char **argv) {
    try {
        std::exit(run(argc, argv));
    } catch (const std::exception &error) {
        std::exit(fail(error.what()));
    }
}
