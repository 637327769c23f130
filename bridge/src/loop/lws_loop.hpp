// libwebsockets on our own uv loop: creates the one lws_context of the process and takes it down in order.
// It never listens and never handles a connection: vhosts and callbacks are transport's. Called by transport::Server.
#pragma once

#include <memory>
#include <string>

#include "loop/loop.hpp"

struct lws_context;

namespace bridge::loop {

struct LwsOptions {
    std::string server_string = "pulse";
    unsigned keepalive_timeout_s = 30;  // an idle HTTP connection between requests
    unsigned header_timeout_s = 10;
    // Receives libwebsockets' own warnings and errors, one line each, without newline.
    void (*log)(int level, const char *line) = nullptr;
};

class LwsLoop {
public:
    // Throws with one clear sentence when the context cannot be made, naming the missing libuv plugin when it is that.
    LwsLoop(Loop &loop, const LwsOptions &options);
    ~LwsLoop();  // closes every connection that is left and runs the loop until libwebsockets has let go of it
    LwsLoop(const LwsLoop &) = delete;
    LwsLoop &operator=(const LwsLoop &) = delete;

    lws_context *context() const { return context_; }

private:
    Loop &loop_;
    std::string server_string_;
    lws_context *context_ = nullptr;
};

}  // namespace bridge::loop
