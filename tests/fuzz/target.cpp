// The target of a request: its path and query become text that can be handed to SQL, or it is refused.
#include "base/json.hpp"
#include "check.hpp"
#include "http/head.hpp"

using namespace bridge;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view in = text(data, size);
    http::Request request;
    if (!http::read_target(in, request)) return 0;
    const auto fit = [&](std::string_view piece) {
        return piece.size() <= in.size() + 1 && piece.find('\0') == std::string_view::npos && json::valid_utf8(piece);
    };
    CHECK(fit(request.path) && request.path.front() == '/');
    for (const auto &[name, value] : request.query) {
        CHECK(fit(name) && fit(value));
        CHECK(request.param(name));
        CHECK(*request.param(name) == request.params(name).front());
    }
    return 0;
}
