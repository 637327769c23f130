// Which limits are registered: classes with their rates, and the class of an event. Read from the tables once a backend, and again after
// somebody changed them: the next transaction of every backend sees it.
#pragma once

#include "limits/buckets.hpp"
#include "pg/guard.hpp"

namespace pulse::limits {

struct Class {
    std::string name;
    Rate rate;
};

// null: no such class. Valid until the next call.
const Class *find_class(std::string_view name);
// The class that the event of a client belongs to: its own, else that of '*' in its namespace. null: none.
const Class *class_of_event(std::string_view name, std::string_view event);
// For an error's hint: "chat, general"; "none" when there is none.
std::string known_classes();

void init_classes();  // once a process, from _PG_init

}  // namespace pulse::limits
