// What the functions that register something share: whose registration it is, and that no pack takes another's place.
#pragma once

#include "pg/extension.hpp"
#include "pg/spi.hpp"

namespace pulse::rooms {

std::string argument(FunctionCallInfo fcinfo, int n, const char *name);  // raises for NULL
std::string namespace_argument(FunctionCallInfo fcinfo, int n);          // raises for what is no namespace

// Two packs may not register the same thing: which one counts would be chance. Raises when the plan finds a row.
void refuse_rival(pg::Plan &plan, std::initializer_list<pg::Plan::Param> params, const std::string &what);

}  // namespace pulse::rooms
