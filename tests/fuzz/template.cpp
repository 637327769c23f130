// Templates of watches: whatever one says and whatever the row holds, a payload is compact JSON and a value stays in its place
// of a room name. The input is the template, then after byte 0x00 the text of every value.
#include "rows/template.hpp"

#include <algorithm>

#include "check.hpp"
#include "json/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    using namespace pulse;
    using namespace pulse::rows;
    const std::string_view in = text(data, size);
    const std::string_view source = in.substr(0, in.find('\0'));
    const std::string value(source.size() < in.size() ? in.substr(source.size() + 1) : "v:1");
    const auto values = [&](const Placeholders &placeholders) {
        std::vector<Rendered> all(placeholders.all().size());
        for (std::size_t i = 0; i < all.size(); ++i)
            if (i % 3 != 0) all[i] = {false, i % 3 == 1, i % 3 == 1 ? value : "1.50"};
        return all;
    };
    {
        Placeholders placeholders;
        JsonNode payload;
        if (!parse_payload(source, placeholders, payload)) {
            std::string out, compact;
            render_json(payload, values(placeholders), out);
            CHECK(!json::check(out, compact) && compact == out);
        }
    }
    Placeholders placeholders;
    TextTemplate room;
    if (parse_text(source, placeholders, room)) return 0;
    std::vector<Rendered> strings(placeholders.all().size(), Rendered{false, true, value});
    std::string out, literals;
    CHECK(render_room(room, strings, out));
    for (const Part &part : room) literals += part.literal;
    const auto colons = [](std::string_view name) { return std::count(name.begin(), name.end(), ':'); };
    CHECK(colons(out) == colons(literals));
    if (!strings.empty()) {
        strings.back().null = true;
        CHECK(!render_room(room, strings, out));
    }
    return 0;
}
