// Datum ↔ C++ text. Views point into palloc'd memory: valid while the memory context they were made in lives.
#pragma once

#include "pg/guard.hpp"

namespace pulse::pg {

// The bytes of a text, json, bytea … value, detoasted when needed.
inline std::string_view view(Datum datum) {
    return call([=]() -> std::string_view {
        auto *value = PG_DETOAST_DATUM_PACKED(datum);
        return {VARDATA_ANY(value), static_cast<size_t>(VARSIZE_ANY_EXHDR(value))};
    });
}

// A text (or json) value of these bytes, palloc'd.
inline Datum text_datum(std::string_view bytes) {
    return call([=] { return PointerGetDatum(cstring_to_text_with_len(bytes.data(), static_cast<int>(bytes.size()))); });
}

inline std::string to_string(Datum datum) { return std::string(view(datum)); }

inline bool arg_is_null(FunctionCallInfo fcinfo, int n) { return fcinfo->args[n].isnull; }
inline Datum arg(FunctionCallInfo fcinfo, int n) { return fcinfo->args[n].value; }
inline std::optional<std::string> optional_text(FunctionCallInfo fcinfo, int n) {
    if (arg_is_null(fcinfo, n)) return std::nullopt;
    return to_string(arg(fcinfo, n));
}
inline Datum null_result(FunctionCallInfo fcinfo) {
    fcinfo->isnull = true;
    return Datum(0);
}

// The elements of a text[]; a NULL element is nullopt. Raises for more than one dimension.
std::vector<std::optional<std::string_view>> text_array(Datum array);
Datum text_array_datum(const std::vector<std::string_view> &elements);
Datum text_array_datum(const std::vector<std::optional<std::string_view>> &elements);
std::vector<int64> int8_array(Datum array);  // without NULLs
Datum int8_array_datum(const std::vector<int64> &elements);
Datum xid8_array_datum(const std::vector<uint64> &elements);

}  // namespace pulse::pg
