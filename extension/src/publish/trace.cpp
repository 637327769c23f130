#include "publish/trace.hpp"

#include "guc.hpp"
#include "json/slice.hpp"
#include "names/rules.hpp"
#include "names/traceparent.hpp"

namespace pulse::publish {

void add_traceparent(std::string &headers) {
    const std::string_view traceparent = guc::traceparent != nullptr ? guc::traceparent : "";
    if (traceparent.empty() || !names::is_traceparent(traceparent)) return;
    if (headers != "{}") {
        const auto members = json::members(headers);
        if (!members || json::find(*members, "traceparent")) return;
    }
    constexpr std::string_view kKey = "\"traceparent\":\"";
    if (headers.size() + kKey.size() + traceparent.size() + 2 > names::kMaxHeaders) return;
    headers.pop_back();
    if (headers.size() > 1) headers += ',';
    headers.append(kKey).append(traceparent).append("\"}");
}

}  // namespace pulse::publish
