// The functions of jobs, found once and called many times. A function of a procedural language is called directly, as long as it is
// what it was when it was looked up; any other (SQL's may be inlined) by a plan of "SELECT f($1)".
#pragma once

#include "pg/spi.hpp"

namespace pulse::queue {

class JobFunction {
public:
    // f(args json) returns json, by its qualified name, for a role: what a name means, and whether its schema may be used, is decided for
    // one. Good until the next call of this.
    static JobFunction &of(const std::string &name, Oid role);
    JobFunction(const std::string &name, Oid role);
    ~JobFunction();
    JobFunction(const JobFunction &) = delete;
    JobFunction &operator=(const JobFunction &) = delete;

    // As that role, in a subtransaction. JSON; nullopt: SQL NULL. Raises what it raises.
    std::optional<std::string> operator()(std::string_view args);

private:
    void look_up();
    std::optional<std::string> call_directly(std::string_view args);
    std::optional<std::string> call_by_plan(std::string_view args);

    std::string name_;
    Oid role_;
    bool direct_ = false;
    std::uint64_t seen_ = 0;  // the changes as of the last look at it
    FmgrInfo info_ = {};
    MemoryContext memory_;  // of info_
    SPIPlanPtr plan_ = nullptr;
};

}  // namespace pulse::queue
