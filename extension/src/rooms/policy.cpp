// Loading and choosing rules.
#include "rooms/policy.hpp"

#include <algorithm>

namespace pulse::rooms {

const char *const kOperationList = "join, publish, history, presence";

bool is_operation(std::string_view name) { return name == "join" || name == "publish" || name == "history" || name == "presence"; }

Rules Rules::load() {
    static pg::Plan plan("SELECT p.pattern, p.operation, p.function, p.extension FROM _pulse.policies p "
                         "WHERE p.extension IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = p.extension)");
    Rules result;
    plan.for_each(
        {},
        [&](const pg::Row &row) {
            Pattern::Parsed parsed = Pattern::parse(row.text(1));
            if (!parsed.pattern) return;  // registration checks it; rows written otherwise are ignored, which denies
            Rule rule{std::move(*parsed.pattern), std::string(row.text(2)), std::string(row.text(3)), {}, {}, {}};
            if (const auto extension = row.optional_text(4)) rule.extension = std::string(*extension);
            result.rules_.push_back(std::move(rule));
        },
        true);
    std::sort(result.rules_.begin(), result.rules_.end(), [](const Rule &a, const Rule &b) {
        if (const int order = a.pattern.compare_specificity(b.pattern); order != 0) return order < 0;
        if (a.extension.has_value() != b.extension.has_value()) return !a.extension;
        return a.pattern.text() < b.pattern.text();
    });
    return result;
}

Rule *Rules::find(std::string_view operation, std::string_view room, Pattern::Params *params) {
    for (Rule &rule : rules_) {
        if (rule.operation != operation) continue;
        if (auto matched = rule.pattern.match(room)) {
            *params = std::move(*matched);
            return &rule;
        }
    }
    return nullptr;
}

}  // namespace pulse::rooms
