// One lws_context on one uv_loop_t (libwebsockets 4.1.6 with its libuv plug-in).
#include "loop/lws_loop.hpp"

#include <libwebsockets.h>
#include <uv.h>

#include <stdexcept>
#include <string_view>

namespace bridge::loop {

namespace {

// What libwebsockets said while the context was created: its only way to tell why it failed.
std::string *g_creation_log = nullptr;
void (*g_log)(int level, const char *line) = nullptr;

void emit(int level, const char *line) {
    std::string_view text(line);
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
    const std::string copy(text);
    if (g_creation_log != nullptr) *g_creation_log += copy + "; ";
    if (g_log != nullptr) g_log(level, copy.c_str());
}

}  // namespace

LwsLoop::LwsLoop(Loop &loop, const LwsOptions &options) : loop_(loop), server_string_(options.server_string) {
    g_log = options.log;
    lws_set_log_level(LLL_ERR | LLL_WARN, emit);

    void *loops[1] = {loop.raw()};
    lws_context_creation_info info{};
    info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_VALIDATE_UTF8 |
                   LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
    info.foreign_loops = loops;
    info.pcontext = &context_;
    info.server_string = server_string_.c_str();
    info.timeout_secs = options.header_timeout_s;
    info.keepalive_timeout = static_cast<int>(options.keepalive_timeout_s);
    info.max_http_header_data = 8192;  // a token in the query string or the Authorization header
    info.pt_serv_buf_size = 16384;
    info.alpn = "http/1.1";
    info.gid = static_cast<gid_t>(-1);
    info.uid = static_cast<uid_t>(-1);

    std::string said;
    g_creation_log = &said;
    context_ = lws_create_context(&info);
    g_creation_log = nullptr;
    if (context_ == nullptr) {
        if (said.find("evlib") != std::string::npos) {
            throw std::runtime_error("libwebsockets cannot use libuv: its plug-in is missing "
                                     "(Debian package libwebsockets-evlib-uv)");
        }
        throw std::runtime_error("libwebsockets did not start: " + (said.empty() ? std::string("no reason given") : said));
    }
}

LwsLoop::~LwsLoop() {
    // With a foreign loop destruction takes two calls: the first closes every connection and libwebsockets' own
    // handles through the loop, the second frees the rest. libwebsockets clears context_ (info.pcontext) at the end.
    lws_context_destroy(context_);
    for (int turn = 0; turn < 50 && context_ != nullptr; ++turn) loop_.run_once();
    if (context_ != nullptr) lws_context_destroy(context_);
    g_log = nullptr;
    lws_set_log_level(0, nullptr);
}

}  // namespace bridge::loop
