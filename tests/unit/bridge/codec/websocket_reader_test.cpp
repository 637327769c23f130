// RFC 6455 as the server reads it. Every case is read whole, byte by byte and split at each place: the answer must be the same.
#include "codec/websocket_reader.hpp"

#include <gmock/gmock.h>

#include "codec/utf8.hpp"

namespace bridge::codec {
namespace {

using Kind = WebsocketReader::Kind;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::size_t kLimit = 70'000;

// A masked frame. `first`: FIN, RSV and opcode; `size`: what the header says, when that is another thing than the payload's.
std::string frame(unsigned first, std::string_view payload, std::string_view mask = "\x12\x34\x56\x78") {
    std::string out(1, static_cast<char>(first));
    if (payload.size() < 126) {
        out += static_cast<char>(0x80 | payload.size());
    } else if (payload.size() < 65536) {
        out += {static_cast<char>(0xfe), static_cast<char>(payload.size() >> 8), static_cast<char>(payload.size())};
    } else {
        out += static_cast<char>(0xff);
        for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift);
    }
    out += mask;
    for (std::size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ mask[i % 4]);
    return out;
}

std::string one(const WebsocketReader::Incoming &in) {
    switch (in.kind) {
        case Kind::nothing: return "nothing";
        case Kind::text: return "t" + std::string(in.payload);
        case Kind::binary: return "b" + std::string(in.payload);
        case Kind::ping: return "ping " + std::string(in.payload);
        case Kind::pong: return "pong " + std::string(in.payload);
        case Kind::close: return "close " + std::to_string(in.code) + " " + std::string(in.payload);
        case Kind::violation: return "refused " + std::to_string(in.code);
    }
    return "?";
}

std::vector<std::string> read(std::initializer_list<std::string_view> pieces) {
    WebsocketReader reader;
    std::string scratch;
    std::vector<std::string> found;
    for (std::string_view in : pieces) {
        // From memory of exactly this size, so that a sanitizer sees what is read beyond it.
        const std::vector<char> exact(in.begin(), in.end());
        in = {exact.data(), exact.size()};
        while (!in.empty()) {
            const auto incoming = reader.next(in, kLimit, scratch);
            if (incoming.kind == Kind::nothing) {
                EXPECT_THAT(in, IsEmpty());
                break;
            }
            found.push_back(one(incoming));
            if (incoming.kind == Kind::violation || incoming.kind == Kind::close) return found;
        }
    }
    return found;
}

std::vector<std::string> read_by_bytes(std::string_view bytes) {
    WebsocketReader reader;
    std::string scratch;
    std::vector<std::string> found;
    for (const char &byte : bytes) {
        std::string_view in(&byte, 1);
        const auto incoming = reader.next(in, kLimit, scratch);
        if (incoming.kind != Kind::nothing) found.push_back(one(incoming));
        if (incoming.kind == Kind::violation || incoming.kind == Kind::close) return found;
        EXPECT_THAT(in, IsEmpty());
    }
    return found;
}

struct Case {
    std::string name;
    std::string bytes;
    std::vector<std::string> found;
};

std::vector<Case> cases() {
    const std::string snowman = "h\xc3\xa9 \xe2\x98\x83 \xf0\x9f\x98\x80";
    const std::string long_text(60'000, 'x'), most(kLimit, 'y');
    using namespace std::string_literals;
    return {
        {"text", frame(0x81, "hello"), {"thello"}},
        {"empty text", frame(0x81, ""), {"t"}},
        {"binary", frame(0x82, "\x00\x01\xff"s), {"b\x00\x01\xff"s}},
        {"125, 126 and 65536 bytes",
         frame(0x82, std::string(125, 'a')) + frame(0x82, std::string(126, 'b')) + frame(0x82, std::string(65536, 'c')),
         {"b" + std::string(125, 'a'), "b" + std::string(126, 'b'), "b" + std::string(65536, 'c')}},
        {"two messages", frame(0x81, "a") + frame(0x81, "b"), {"ta", "tb"}},
        {"fragments", frame(0x01, "he") + frame(0x00, "l") + frame(0x80, "lo"), {"thello"}},
        {"empty fragments", frame(0x02, "") + frame(0x00, "") + frame(0x80, ""), {"b"}},
        {"a fragmented one, then another", frame(0x01, "a") + frame(0x80, "b") + frame(0x81, "c"), {"tab", "tc"}},
        {"control frames between fragments",
         frame(0x01, "a") + frame(0x89, "?") + frame(0x8a, "!") + frame(0x80, "b"),
         {"ping ?", "pong !", "tab"}},
        {"UTF-8 cut inside a character", frame(0x01, snowman.substr(0, 2)) + frame(0x80, snowman.substr(2)), {"t" + snowman}},
        {"every character length", frame(0x81, snowman), {"t" + snowman}},
        {"ping of 125 bytes", frame(0x89, std::string(125, 'p')), {"ping " + std::string(125, 'p')}},
        {"close without code", frame(0x88, ""), {"close 1005 "}},
        {"close with code and reason",
         frame(0x88, "\x03\xe8"
                     "bye"),
         {"close 1000 bye"}},
        {"close of an application", frame(0x88, "\x0f\xa0"), {"close 4000 "}},
        {"nothing is read behind a close", frame(0x88, "") + frame(0x81, "x"), {"close 1005 "}},
        {"the largest message", frame(0x82, most), {"b" + most}},
        {"the largest message in pieces", frame(0x02, most.substr(1)) + frame(0x80, "y"), {"b" + most}},

        {"not masked", "\x81\x01x"s, {"refused 1002"}},
        {"not masked, and empty", "\x89\x00"s, {"refused 1002"}},
        {"RSV1", frame(0xc1, "x"), {"refused 1002"}},
        {"RSV2", frame(0xa1, "x"), {"refused 1002"}},
        {"RSV3", frame(0x91, "x"), {"refused 1002"}},
        {"opcode 3", frame(0x83, "x"), {"refused 1002"}},
        {"opcode 7", frame(0x87, "x"), {"refused 1002"}},
        {"opcode 11", frame(0x8b, ""), {"refused 1002"}},
        {"opcode 15", frame(0x8f, ""), {"refused 1002"}},
        {"fragmented ping", frame(0x09, "x"), {"refused 1002"}},
        {"fragmented close", frame(0x08, ""), {"refused 1002"}},
        {"ping of 126 bytes", frame(0x89, std::string(126, 'p')), {"refused 1002"}},
        {"close of 126 bytes", frame(0x88, "\x03\xe8" + std::string(124, 'p')), {"refused 1002"}},
        {"continuation of nothing", frame(0x80, "x"), {"refused 1002"}},
        {"continuation after the end", frame(0x81, "a") + frame(0x80, "x"), {"ta", "refused 1002"}},
        {"message inside a message", frame(0x01, "a") + frame(0x81, "b"), {"refused 1002"}},
        {"a length of 2 bytes for less than 126", "\x82\xfe\x00\x7d"s + "mask" + std::string(125, 'x'), {"refused 1002"}},
        {"a length of 8 bytes for less than 65536", "\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff"s + "mask", {"refused 1002"}},
        {"a negative length", "\x82\xff\xff\x00\x00\x00\x00\x00\x00\x00"s + "mask", {"refused 1002"}},
        {"half a close code", frame(0x88, "\x03"), {"refused 1002"}},
        {"a close reason that is not UTF-8", frame(0x88, "\x03\xe8\xff"), {"refused 1007"}},
        {"not UTF-8", frame(0x81, "a\xff"), {"refused 1007"}},
        {"UTF-8 that ends early", frame(0x81, "\xe2\x98"), {"refused 1007"}},
        {"UTF-8 that ends early in the last fragment", frame(0x01, "a\xe2") + frame(0x80, "\x98"), {"refused 1007"}},
        {"not UTF-8 in the first of fragments", frame(0x01, "\xff"), {"refused 1007"}},
        {"an overlong slash", frame(0x81, "\xc0\xaf"), {"refused 1007"}},
        {"a surrogate", frame(0x81, "\xed\xa0\x80"), {"refused 1007"}},
        {"beyond Unicode", frame(0x81, "\xf4\x90\x80\x80"), {"refused 1007"}},
        {"one byte too much", frame(0x82, most + "y"), {"refused 1009"}},
        {"one byte too much in pieces", frame(0x02, most) + frame(0x80, "y"), {"refused 1009"}},
        {"too much, only announced", "\x82\xff\x00\x00\x01\x00\x00\x00\x00\x00"s + "mask", {"refused 1009"}},
    };
}

TEST(WebsocketReader, S1ReadsAndRefusesWhatTheRfcSays) {
    for (const Case &c : cases()) EXPECT_EQ(read({c.bytes}), c.found) << c.name;
}

TEST(WebsocketReader, S1DoesNotDependOnThePiecesTheNetworkMakes) {
    for (const Case &c : cases()) {
        EXPECT_EQ(read_by_bytes(c.bytes), c.found) << c.name << ", byte by byte";
        if (c.bytes.size() > 300) continue;
        for (std::size_t at = 1; at < c.bytes.size(); ++at) {
            const std::string_view bytes(c.bytes);
            EXPECT_EQ(read({bytes.substr(0, at), bytes.substr(at)}), c.found) << c.name << ", split at " << at;
        }
    }
}

TEST(WebsocketReader, S1RefusesAtTheFirstByteThatIsNoUtf8) {
    const std::string bytes = frame(0x81, "\xce\xba\xe1\xbd\xb9\xed\xa0\x80 and much more that never comes");
    WebsocketReader reader;
    std::string scratch;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        std::string_view in = std::string_view(bytes).substr(at, 1);
        const auto incoming = reader.next(in, kLimit, scratch);
        EXPECT_EQ(incoming.kind, at < 12 ? Kind::nothing : Kind::violation) << at;
        if (incoming.kind == Kind::violation) return;
    }
    ADD_FAILURE() << "was read to the end";
}

TEST(WebsocketReader, S1RefusesBadHeadersBeforeTheirEnd) {
    EXPECT_THAT(read({std::string_view("\x81\x05", 2)}), ElementsAre("refused 1002"));  // no mask
    EXPECT_THAT(read({"\xf0"}), ElementsAre("refused 1002"));                           // reserved bits
    EXPECT_THAT(read({"\x89\xfe"}), ElementsAre("refused 1002"));                       // a long ping
}

TEST(WebsocketReader, S1KnowsWhichCloseCodesMayBeSent) {
    for (unsigned code : {1000U, 1001U, 1002U, 1003U, 1007U, 1008U, 1009U, 1010U, 1011U, 1012U, 1013U, 1014U, 3000U, 3999U, 4000U, 4999U}) {
        const std::string payload{static_cast<char>(code >> 8), static_cast<char>(code)};
        EXPECT_THAT(read({frame(0x88, payload)}), ElementsAre("close " + std::to_string(code) + " "));
    }
    for (unsigned code : {0U, 1U, 999U, 1004U, 1005U, 1006U, 1015U, 1016U, 1100U, 2000U, 2999U, 5000U, 65535U}) {
        const std::string payload{static_cast<char>(code >> 8), static_cast<char>(code)};
        EXPECT_THAT(read({frame(0x88, payload)}), ElementsAre("refused 1002")) << code;
    }
}

TEST(WebsocketReader, S1UnmasksWithEveryMaskAndPhase) {
    const std::string text = "0123456789abcdefghijklmnopqrstuvwxyz";
    for (std::string_view mask :
         {std::string_view("\x01\x02\x03\x04"), std::string_view("\0\0\0\0", 4), std::string_view("\xff\x00\x80\x7f", 4)}) {
        const std::string bytes = frame(0x82, text, mask);
        for (std::size_t at = 1; at < bytes.size(); ++at) {
            EXPECT_THAT(read({std::string_view(bytes).substr(0, at), std::string_view(bytes).substr(at)}), ElementsAre("b" + text));
        }
    }
}

TEST(WebsocketReader, S1KeepsNothingForAnIdleConnection) {
    static_assert(sizeof(WebsocketReader) <= 32);
    WebsocketReader reader;
    std::string scratch;
    const std::string bytes = frame(0x01, "a") + frame(0x89, "") + frame(0x80, "b");
    for (const char &byte : bytes) {
        std::string_view in(&byte, 1);
        reader.next(in, kLimit, scratch);
        EXPECT_EQ(reader.idle(), &byte == &bytes.back());
    }
}

TEST(Utf8, S1SaysTheSameOfEveryTwoBytes) {
    // Against the definition: what Python's or the browser's decoder takes of two bytes.
    for (unsigned a = 0; a < 256; ++a) {
        for (unsigned b = 0; b < 256; ++b) {
            const char bytes[] = {static_cast<char>(a), static_cast<char>(b)};
            Utf8 text;
            const bool valid = text.feed({bytes, 2}) && text.complete();
            const bool expected = (a < 0x80 && b < 0x80) || (a >= 0xc2 && a <= 0xdf && b >= 0x80 && b <= 0xbf);
            EXPECT_EQ(valid, expected) << a << " " << b;
        }
    }
}

}  // namespace
}  // namespace bridge::codec
