// What a client sends over a WebSocket. The first byte says where the rest is cut in two: whatever the pieces, the answer is the same,
// and nothing that is answered breaks a rule of RFC 6455.
#include <algorithm>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "check.hpp"
#include "codec/websocket_reader.hpp"

using namespace bridge;
using codec::WebsocketReader;
using Kind = WebsocketReader::Kind;

namespace {

constexpr std::size_t kLimit = 300;

struct Found {
    Kind kind;
    std::string payload;
    std::uint16_t code;
    bool operator==(const Found &) const = default;
};

void check(const WebsocketReader::Incoming &incoming) {
    switch (incoming.kind) {
        case Kind::nothing: return;
        case Kind::text: CHECK(json::valid_utf8(incoming.payload)); [[fallthrough]];
        case Kind::binary: CHECK(incoming.payload.size() <= kLimit); return;
        case Kind::ping:
        case Kind::pong: CHECK(incoming.payload.size() <= 125); return;
        case Kind::close:
            CHECK(incoming.payload.size() <= 123 && json::valid_utf8(incoming.payload));
            CHECK(incoming.code >= 1000 && incoming.code < 5000 && incoming.code != 1004 && incoming.code != 1006 && incoming.code != 1015);
            return;
        case Kind::violation: CHECK(incoming.code == 1002 || incoming.code == 1007 || incoming.code == 1009); return;
    }
}

// Until the end, or a close or violation: no further is read.
std::vector<Found> read(std::initializer_list<std::string_view> pieces) {
    WebsocketReader reader;
    std::string scratch;
    std::vector<Found> found;
    for (const std::string_view piece : pieces) {
        const std::vector<char> exact(piece.begin(), piece.end());  // so that a sanitizer sees what is read beyond it
        std::string_view in(exact.data(), exact.size());
        while (!in.empty()) {
            const std::size_t before = in.size();
            const auto incoming = reader.next(in, kLimit, scratch);
            check(incoming);
            if (incoming.kind == Kind::nothing) {
                CHECK(in.empty());
                break;
            }
            CHECK(in.size() < before || incoming.kind == Kind::violation);
            // what a violation says may depend on how much of it had come; its code may not
            found.push_back({incoming.kind, incoming.kind == Kind::violation ? "" : std::string(incoming.payload), incoming.code});
            if (incoming.kind == Kind::close || incoming.kind == Kind::violation) return found;
        }
    }
    return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view in = text(data, size).substr(1);
    const std::size_t cut = std::min<std::size_t>(data[0], in.size());
    CHECK(read({in}) == read({in.substr(0, cut), in.substr(cut)}));
    return 0;
}
