// The SQL function of a job: f(args json) returns json. Checked when a job is stored, and again by the worker's call.
#pragma once

#include "pg/spi.hpp"

namespace pulse::queue {

// Resolves the name as the current user does; returns the qualified name. Raises with a hint when there is no such
// function, its signature is another, or the user may not execute it.
std::string check_function(const std::string &name);

// Whether its name says its schema, in the plain form without quotes.
bool is_qualified(std::string_view name);

void init_functions();  // once a process, from _PG_init

}  // namespace pulse::queue
