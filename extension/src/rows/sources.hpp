// The placeholders of a trigger's templates against one table: columns resolved to attribute numbers, writers for their types.
#pragma once

#include "rows/fired.hpp"
#include "rows/value.hpp"

namespace pulse::rows {

class Sources {
public:
    // Of a trigger for these operations. Raises, naming the column or placeholder and the accepted ones.
    Sources(const Placeholders &placeholders, Relation relation, unsigned operations, MemoryContext memory);
    // As the current user: output functions and casts run.
    std::vector<Rendered> render(const FiredRows &rows);
    Oid type_of(size_t placeholder) const { return writers_[sources_[placeholder].writer].type; }  // domains resolved

private:
    struct Source {  // of one placeholder
        RowOf row;
        AttrNumber attribute;
        size_t writer;
    };
    std::vector<Source> sources_;
    std::vector<TypeWriter> writers_;
};

// Raises for a column that the table does not have; `what` says who names it.
AttrNumber column_of(Relation relation, std::string_view name, const std::string &what);
// Every column by its camelCase name; two that would get the same one keep their own names.
JsonNode whole_row(Relation relation, Placeholders &placeholders);
std::string columns_hint(Relation relation);   // "Columns of public.t: id, name."
std::string relation_name(Relation relation);  // quoted where needed

}  // namespace pulse::rows
