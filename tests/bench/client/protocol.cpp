// What all protocols share, see protocol.hpp.
#include "client/protocol.hpp"

#include <stdexcept>

namespace bench {

std::string Protocol::get(const Socket &socket, const std::string &path, const std::string &headers) const {
    std::string request = "GET " + fleet_.expand(path, socket.number) + " HTTP/1.1\r\nHost: " + options_.host + ":" +
                          std::to_string(options_.port) + "\r\n" + headers;
    if (!socket.token.empty() && token_in_header()) request += "Authorization: Bearer " + socket.token + "\r\n";
    return request + "\r\n";
}

std::unique_ptr<Protocol> make_protocol(const std::string &name, Fleet &fleet) {
    if (auto made = make_websocket_protocol(name, fleet)) return made;
    if (auto made = make_http_protocol(name, fleet)) return made;
    throw std::runtime_error("no protocol " + name + ": socketio, native, websocket, sse, poll, polling or parked");
}

std::string_view member(std::string_view text, std::string_view key) {
    const size_t at = text.find(key);
    if (at == std::string_view::npos) return {};
    const size_t from = text.find(":\"", at);
    if (from == std::string_view::npos) return {};
    return text.substr(from + 2, text.find('"', from + 2) - from - 2);
}

}  // namespace bench
