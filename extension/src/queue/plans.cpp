// Settings of the planner.
#include "queue/plans.hpp"

namespace pulse::queue {

static bool pinned = false;  // in the whole session

void pin_plans_of_session() {
    pg::call([] {
        for (const char *name : kPinned) SetConfigOption(name, "off", PGC_SUSET, PGC_S_SESSION);
        SetConfigOption("plan_cache_mode", "force_generic_plan", PGC_SUSET, PGC_S_SESSION);
    });
    pinned = true;
}

PinnedPlans::PinnedPlans() {
    if (pinned) return;
    settings_.emplace();
    for (const char *name : kPinned) settings_->set(name, "off");
    settings_->set("plan_cache_mode", "force_generic_plan");
}

}  // namespace pulse::queue
