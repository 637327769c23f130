// Datum → JSON.
#include "rows/value.hpp"

#include "json/base64.hpp"
#include "json/check.hpp"
#include "json/slice.hpp"
#include "pg/text.hpp"
#include "rows/forms.hpp"

namespace pulse::rows {

namespace {

Shape shape_of(Oid type) {
    switch (type) {
        case BOOLOID: return Shape::kBool;
        case INT2OID: return Shape::kInt2;
        case INT4OID: return Shape::kInt4;
        case INT8OID: return Shape::kInt8;
        case FLOAT4OID: return Shape::kFloat4;
        case FLOAT8OID: return Shape::kFloat8;
        case NUMERICOID: return Shape::kNumeric;
        case JSONOID: return Shape::kJson;
        case JSONBOID: return Shape::kJsonb;
        case TIMESTAMPTZOID: return Shape::kTimestampTz;
        case TIMESTAMPOID: return Shape::kTimestamp;
        case DATEOID: return Shape::kDate;
        case INTERVALOID: return Shape::kInterval;
        case BYTEAOID: return Shape::kBytea;
        case TEXTOID:
        case VARCHAROID: return Shape::kText;
        default: return Shape::kOther;
    }
}

void append_compact(std::string_view json, std::string &out) {
    if (auto error = json::check(json, out))
        pg::fail(ERRCODE_INVALID_TEXT_REPRESENTATION, std::string("value is not accepted as JSON: ") + error->message,
                 "at byte " + std::to_string(error->offset));
}

// "2024-05-01T10:20:30.123"; the zone is the caller's.
void append_timestamp(Timestamp value, std::string &out) {
    if (TIMESTAMP_NOT_FINITE(value)) {
        out += TIMESTAMP_IS_NOBEGIN(value) ? "-infinity" : "infinity";
        return;
    }
    int64 days = value / USECS_PER_DAY;
    int64 microseconds = value % USECS_PER_DAY;
    if (microseconds < 0) {
        microseconds += USECS_PER_DAY;
        --days;
    }
    int year, month, day;
    j2date(static_cast<int>(days + POSTGRES_EPOCH_JDATE), &year, &month, &day);
    append_date(out, year, month, day);
    out += 'T';
    append_time(out, microseconds);
}

// The output function's text, palloc'd.
std::string_view output(FmgrInfo *function, Datum value) {
    const char *text = pg::call([&] { return OutputFunctionCall(function, value); });
    return text;
}

// NaN and infinities are strings; numbers are themselves.
bool append_number(std::string_view digits, std::string &out) {
    out += digits;
    return digits.find_first_of("nN") != std::string_view::npos;  // NaN, Infinity, -Infinity
}

}  // namespace

TypeWriter::TypeWriter(Oid declared, MemoryContext memory) : memory_(memory) {
    type = pg::call([&] { return getBaseType(declared); });
    shape = shape_of(type);
    if (shape != Shape::kOther && shape != Shape::kNumeric && shape != Shape::kJsonb) return;
    Oid function_oid = InvalidOid;
    Oid element_type = InvalidOid;
    pg::call([&] {
        if (shape == Shape::kOther) {
            element_type = get_element_type(type);
            if (OidIsValid(element_type)) {
                shape = Shape::kArray;
                get_typlenbyvalalign(element_type, &length, &by_value, &align);
                return;
            }
            if (type_is_rowtype(type)) {
                shape = Shape::kComposite;
                return;
            }
            // A type of an extension may know best itself, as PostGIS does (GeoJSON).
            if (type >= FirstNormalObjectId) {
                Oid cast;
                for (Oid target : {JSONOID, JSONBOID}) {
                    if (find_coercion_pathway(target, type, COERCION_EXPLICIT, &cast) == COERCION_PATH_FUNC && OidIsValid(cast)) {
                        shape = Shape::kCast;
                        cast_to_jsonb = target == JSONBOID;
                        function_oid = cast;
                        break;
                    }
                }
            }
        }
        bool varlena;
        if (shape != Shape::kCast) getTypeOutputInfo(type, &function_oid, &varlena);
        fmgr_info_cxt(function_oid, &function, memory_);
    });
    if (shape == Shape::kArray) element = std::make_shared<TypeWriter>(element_type, memory);
}

bool TypeWriter::write(Datum value, std::string &out) {
    char digits[64];
    switch (shape) {
        case Shape::kBool: out += DatumGetBool(value) ? "true" : "false"; return false;
        case Shape::kInt2: out += std::to_string(DatumGetInt16(value)); return false;
        case Shape::kInt4: out += std::to_string(DatumGetInt32(value)); return false;
        case Shape::kInt8: out += std::to_string(DatumGetInt64(value)); return false;
        case Shape::kFloat4:
            return append_number({digits, static_cast<size_t>(float_to_shortest_decimal_bufn(DatumGetFloat4(value), digits))}, out);
        case Shape::kFloat8:
            return append_number({digits, static_cast<size_t>(double_to_shortest_decimal_bufn(DatumGetFloat8(value), digits))}, out);
        case Shape::kNumeric: return append_number(output(&function, value), out);
        case Shape::kJson: append_compact(pg::view(value), out); return false;
        case Shape::kJsonb: append_compact(output(&function, value), out); return false;
        case Shape::kTimestampTz:
            append_timestamp(DatumGetTimestampTz(value), out);
            if (!TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(value))) out += 'Z';
            return true;
        case Shape::kTimestamp: append_timestamp(DatumGetTimestamp(value), out); return true;
        case Shape::kDate: {
            const DateADT date = DatumGetDateADT(value);
            if (DATE_NOT_FINITE(date)) {
                out += DATE_IS_NOBEGIN(date) ? "-infinity" : "infinity";
                return true;
            }
            int year, month, day;
            j2date(date + POSTGRES_EPOCH_JDATE, &year, &month, &day);
            append_date(out, year, month, day);
            return true;
        }
        case Shape::kInterval: {
            char text[MAXDATELEN + 1];
            pg::call([&] {
                struct pg_itm parts;
                interval2itm(*DatumGetIntervalP(value), &parts);
                EncodeInterval(&parts, INTSTYLE_ISO_8601, text);
            });
            out += text;
            return true;
        }
        case Shape::kBytea: json::append_base64(out, pg::view(value)); return true;
        case Shape::kText: out += pg::view(value); return true;
        case Shape::kArray: write_array(value, out); return false;
        case Shape::kComposite: write_composite(value, out); return false;
        case Shape::kCast: {
            const Datum json = pg::call([&] { return FunctionCall1(&function, value); });
            if (cast_to_jsonb)
                append_compact(pg::call([&]() -> std::string_view { return JsonbToCString(nullptr, &DatumGetJsonbP(json)->root, -1); }),
                               out);
            else
                append_compact(pg::view(json), out);
            return false;
        }
        case Shape::kOther: out += output(&function, value); return true;
    }
    return false;
}

void TypeWriter::write_json(Datum value, std::string &out) {
    std::string text;
    if (write(value, text))
        json::append_quoted(out, text);
    else
        out += text;
}

void TypeWriter::write_array(Datum value, std::string &out) {
    Datum *values;
    bool *nulls;
    int count;
    ArrayType *array = pg::call([&] {
        ArrayType *detoasted = DatumGetArrayTypeP(value);
        deconstruct_array(detoasted, ARR_ELEMTYPE(detoasted), length, by_value, align, &values, &nulls, &count);
        return detoasted;
    });
    const int dimensions = ARR_NDIM(array);
    if (dimensions == 0) {
        out += "[]";
        return;
    }
    // Elements in row-major order: a bracket opens or closes where the index of a dimension wraps around.
    for (int i = 0; i < count; ++i) {
        if (i > 0) out += ',';
        int block = 1;
        int opened = 0;
        for (int d = dimensions - 1; d >= 0; --d) {
            block *= ARR_DIMS(array)[d];
            if (i % block == 0) ++opened;
        }
        out.append(static_cast<size_t>(opened), '[');
        if (nulls[i])
            out += "null";
        else
            element->write_json(values[i], out);
        block = 1;
        int closed = 0;
        for (int d = dimensions - 1; d >= 0; --d) {
            block *= ARR_DIMS(array)[d];
            if ((i + 1) % block == 0) ++closed;
        }
        out.append(static_cast<size_t>(closed), ']');
    }
}

// Nested rows are rare: their type is looked up for each value, so that ALTER TYPE never leaves a stale writer.
void TypeWriter::write_composite(Datum value, std::string &out) {
    Datum *values;
    bool *nulls;
    const TupleDesc desc = pg::call([&] {
        check_stack_depth();
        HeapTupleHeader header = DatumGetHeapTupleHeader(value);
        TupleDesc shared = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
        TupleDesc copy = CreateTupleDescCopy(shared);
        ReleaseTupleDesc(shared);
        HeapTupleData tuple{};
        tuple.t_len = HeapTupleHeaderGetDatumLength(header);
        ItemPointerSetInvalid(&tuple.t_self);
        tuple.t_tableOid = InvalidOid;
        tuple.t_data = header;
        values = static_cast<Datum *>(palloc(sizeof(Datum) * static_cast<size_t>(copy->natts)));
        nulls = static_cast<bool *>(palloc(sizeof(bool) * static_cast<size_t>(copy->natts)));
        heap_deform_tuple(&tuple, copy, values, nulls);
        return copy;
    });
    out += '{';
    bool first = true;
    for (int i = 0; i < desc->natts; ++i) {
        const Form_pg_attribute attribute = TupleDescAttr(desc, i);
        if (attribute->attisdropped) continue;
        if (!first) out += ',';
        first = false;
        json::append_quoted(out, camel_case(NameStr(attribute->attname)));
        out += ':';
        if (nulls[i])
            out += "null";
        else
            TypeWriter(attribute->atttypid, CurrentMemoryContext).write_json(values[i], out);
    }
    out += '}';
}

}  // namespace pulse::rows
