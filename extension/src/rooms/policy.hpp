// The registered policies of this moment: which one decides about a room. Read from the table for each call, so that a
// registration takes effect at once. Deny by default: no rule, no access. Asked by handle/decide.
#pragma once

#include "rooms/function.hpp"
#include "rooms/pattern.hpp"

namespace pulse::rooms {

struct Rule {
    Pattern pattern;
    std::string operation, function;
    std::optional<std::string> extension;  // the pack that registered it; nullopt: the application
    std::optional<Callable> callable;      // resolved when first needed
    std::optional<std::string> broken;     // why it cannot be called
};

class Rules {
public:
    // Inside an OwnerScope and an SpiSession.
    static Rules load();

    // The most specific rule that matches, ready to be called or broken; null when there is none. More literal bytes
    // win, then fewer placeholders, then the application's rule over a pack's, then the pattern's text.
    Rule *find(std::string_view operation, std::string_view room, Pattern::Params *params);

private:
    std::vector<Rule> rules_;  // most specific first
};

bool is_operation(std::string_view name);
extern const char *const kOperationList;  // for messages

}  // namespace pulse::rooms
