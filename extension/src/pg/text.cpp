// Arrays of text and numbers.
#include "pg/text.hpp"

namespace pulse::pg {

std::vector<std::optional<std::string_view>> text_array(Datum array) {
    Datum *values = nullptr;
    bool *nulls = nullptr;
    int count = 0;
    call([&] {
        ArrayType *type = DatumGetArrayTypeP(array);
        if (ARR_NDIM(type) > 1) ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR), errmsg("array must have one dimension")));
        deconstruct_array(type, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
    });
    std::vector<std::optional<std::string_view>> result;
    result.reserve(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) {
        if (nulls[i])
            result.emplace_back(std::nullopt);
        else
            result.emplace_back(view(values[i]));
    }
    return result;
}

Datum text_array_datum(const std::vector<std::string_view> &elements) {
    std::vector<Datum> datums;
    datums.reserve(elements.size());
    for (auto element : elements) datums.push_back(text_datum(element));
    return call(
        [&] { return PointerGetDatum(construct_array(datums.data(), static_cast<int>(datums.size()), TEXTOID, -1, false, TYPALIGN_INT)); });
}

Datum text_array_datum(const std::vector<std::optional<std::string_view>> &elements) {
    const auto size = elements.size();
    const auto datums = std::make_unique<Datum[]>(size);
    const auto nulls = std::make_unique<bool[]>(size);
    for (size_t i = 0; i < size; ++i) {
        nulls[i] = !elements[i];
        if (elements[i]) datums[i] = text_datum(*elements[i]);
    }
    return call([&] {
        int dimension = static_cast<int>(size), lower_bound = 1;
        if (size == 0) return PointerGetDatum(construct_empty_array(TEXTOID));
        return PointerGetDatum(
            construct_md_array(datums.get(), nulls.get(), 1, &dimension, &lower_bound, TEXTOID, -1, false, TYPALIGN_INT));
    });
}

std::vector<int64> int8_array(Datum array) {
    Datum *elements;
    bool *nulls;
    int count;
    call([&] {
        deconstruct_array(DatumGetArrayTypeP(array), INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &elements, &nulls, &count);
    });
    std::vector<int64> result;
    for (int n = 0; n < count; ++n)
        if (!nulls[n]) result.push_back(DatumGetInt64(elements[n]));
    return result;
}

// An array of a type that is eight bytes by value.
static Datum array_datum(std::vector<Datum> &elements, Oid type) {
    return call([&] {
        return PointerGetDatum(
            construct_array(elements.data(), static_cast<int>(elements.size()), type, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
    });
}

Datum int8_array_datum(const std::vector<int64> &elements) {
    std::vector<Datum> datums;
    datums.reserve(elements.size());
    for (auto element : elements) datums.push_back(Int64GetDatum(element));
    return array_datum(datums, INT8OID);
}

Datum xid8_array_datum(const std::vector<uint64> &elements) {
    std::vector<Datum> datums;
    datums.reserve(elements.size());
    for (auto element : elements) datums.push_back(UInt64GetDatum(element));
    return array_datum(datums, XID8OID);
}

}  // namespace pulse::pg
