// Owns every module and wires them; start and stop order are on one screen of app.cpp. Made by main, once.
#pragma once

#include <memory>

#include "config/config.hpp"

namespace bridge::app {

class App {
public:
    // Throws one sentence when something needed at start is missing: a key, an address.
    App(const config::Config &config, const char *version, const char *commit);
    ~App();
    App(const App &) = delete;
    App &operator=(const App &) = delete;

    // Serves until SIGTERM or SIGINT, then drains. The process's exit code.
    int run();

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace bridge::app
