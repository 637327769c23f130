// Pins how the queue's queries run. The hot table is nearly empty whenever it is analysed, so by its statistics a plan would read or sort
// all of it; with a backlog of a million jobs that is seconds. Every query here has an index that gives it its rows in order.
// Whoever asks by id says `state <> 'executing'`, never the list of waiting states: by that list a plan made while the table is tiny may
// take the index of lanes, and read all of it for each batch when the table has grown.
#pragma once

#include "pg/run_as.hpp"

namespace pulse::queue {

// In a process of our own: for good. User code is called with the database's own values (run.cpp).
void pin_plans_of_session();

// For a scope of a session that is somebody's: its settings come back. In a process of our own it costs nothing.
class PinnedPlans {
public:
    PinnedPlans();

private:
    std::optional<pg::SettingScope> settings_;
};

// Names of the settings, for who has to give user code the database's own.
inline constexpr const char *kPinned[] = {
    "enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "enable_sort", "enable_material", "jit"};

}  // namespace pulse::queue
