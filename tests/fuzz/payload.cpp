// The JSON checker of pulse.publish: what it accepts stays what it was, compact; what it refuses is refused inside the text.
#include "check.hpp"
#include "json/check.hpp"
#include "json/slice.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    using namespace pulse;
    const std::string_view in = text(data, size);
    std::string compact;
    if (const auto error = json::check(in, compact)) {
        CHECK(error->offset <= in.size());
        return 0;
    }
    CHECK(compact.size() <= in.size());
    CHECK(compact == json::compact(in));  // the simpler one, which checks nothing
    for (char c : compact) CHECK(c != '\n' && c != '\t' && c != '\r' && static_cast<unsigned char>(c) >= 0x20);
    std::string again;
    CHECK(!json::check(compact, again) && again == compact);
    if (const auto members = json::members(compact)) {
        for (const auto &member : *members) {
            std::string value;
            CHECK(!json::check(member.value, value) && value == member.value);
        }
    }
    return 0;
}
