// The scanner against nlohmann: same verdict, slices inside the text, strings that come back.
#include "base/json.hpp"

#include <nlohmann/json.hpp>

#include "check.hpp"

using namespace bridge;

namespace {

bool inside(std::string_view part, std::string_view whole) {
    return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const std::string_view in = text(data, size);
    const json::Limits limits{4096, 32, false};
    const auto kind = json::scan(in, limits);
    const auto tree = json::parse(in, limits);
    if (tree) {
        CHECK(kind);
        CHECK(tree->is_object() == (*kind == json::Kind::object));
    }
    // nlohmann skips a byte order mark and takes NUL for the end of the text
    const bool comparable = !in.starts_with("\xef\xbb\xbf") && in.find('\0') == std::string_view::npos;
    if (!kind && comparable && in.size() <= limits.max_bytes && kind.error().detail != "JSON is nested too deep") {
        CHECK(!json::Value::accept(in.begin(), in.end()));
    }
    if (const auto elements = json::elements(in, limits)) {
        CHECK(*kind == json::Kind::array);
        for (const std::string_view element : *elements) CHECK(inside(element, in) && json::scan(element, limits));
    }
    if (const auto members = json::members(in, limits)) {
        CHECK(*kind == json::Kind::object);
        for (const json::Member &member : *members) CHECK(inside(member.value, in) && json::scan(member.value, limits));
    }
    if (const auto unquoted = json::unquote(in)) {
        CHECK(json::valid_utf8(*unquoted));
        CHECK(*json::unquote(json::quote(*unquoted)) == *unquoted);
    }
    return 0;
}
