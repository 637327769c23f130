// A column's value as JSON: types decide (docs/reference/watch.md has the table). Session settings such as DateStyle,
// IntervalStyle or extra_float_digits never change the result. Runs output functions and casts as the current user.
#pragma once

#include "pg/guard.hpp"
#include "rows/template.hpp"

namespace pulse::rows {

enum class Shape {
    kBool,
    kInt2,
    kInt4,
    kInt8,
    kFloat4,
    kFloat8,
    kNumeric,
    kJson,
    kJsonb,
    kTimestampTz,
    kTimestamp,
    kDate,
    kInterval,
    kBytea,
    kText,
    kArray,
    kComposite,
    kCast,
    kOther
};

// How to write a type. Its functions' own memory lives in `memory`.
struct TypeWriter {
    Shape shape = Shape::kOther;
    Oid type = InvalidOid;  // domains resolved
    FmgrInfo function{};    // kCast: to json or jsonb; kOther, kNumeric, kJsonb: output
    bool cast_to_jsonb = false;
    int16 length = 0;  // kArray: of the elements
    bool by_value = false;
    char align = 'i';
    std::shared_ptr<TypeWriter> element;

    TypeWriter(Oid type, MemoryContext memory);
    // Writes a value that is not null; true when `out` got the text of a string, false when it got JSON.
    bool write(Datum value, std::string &out);

private:
    void write_array(Datum value, std::string &out);
    void write_composite(Datum value, std::string &out);
    void write_json(Datum value, std::string &out);  // strings with their quotes
    MemoryContext memory_;
};

}  // namespace pulse::rows
