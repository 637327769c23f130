// What a client said, whatever it speaks. Codecs make Inbound from bytes; transport and handlers see only this. Arguments stay raw
// JSON text: they reach SQL byte for byte. Strings are owned: an Inbound may wait in a queue.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace bridge::codec {

inline constexpr std::size_t kMaxAttachments = 10;

struct Inbound {
    enum class Kind {
        connect,     // `payload`: the auth object, raw ("" when none; native: {"token":…} as it came)
        disconnect,  // from the namespace
        event,       // `event`, `args`, `id`, `attachments`
        ack,         // answer to a question of ours: `id`, `args`, `attachments`
        join,        // native only (Socket.IO clients emit room:join): `room`, `id`
        leave,       // native only: `room`, `id`
        ping,        // native only
    };

    Kind kind = Kind::event;
    std::string nsp = "/";
    std::optional<std::string> id;  // raw text to be given back: digits, or (native) a JSON number or string literal
    std::string event;              // decoded name
    std::string args = "[]";        // raw JSON array of all arguments without the name
    std::string payload;            // connect: raw JSON
    std::string room;               // decoded
    std::string since;              // join: a cursor, decoded; empty: none
    std::string traceparent;        // whose doing it is; empty: not said
    std::vector<std::string> attachments;

    // Well-formed, but not to be carried out: answer it with this error (and `id`); the connection goes on.
    std::optional<Error> problem;
};

}  // namespace bridge::codec
