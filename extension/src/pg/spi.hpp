// SQL from C++: a session (SPI_connect … SPI_finish), saved plans, and rows seen through a cursor-like view.
// Copy what outlives the session: a Row's views die with it. All of it may throw pg::Error.
#pragma once

#include "pg/text.hpp"

namespace pulse::pg {

// SPI_connect for a scope. After an Error the transaction is spoiled and its end cleans up: then it does not finish.
class SpiSession {
public:
    SpiSession() : exceptions_(std::uncaught_exceptions()) {
        call([] { SPI_connect(); });
    }
    ~SpiSession() {
        if (std::uncaught_exceptions() == exceptions_) SPI_finish();
    }
    SpiSession(const SpiSession &) = delete;
    SpiSession &operator=(const SpiSession &) = delete;

private:
    int exceptions_;
};

// The latest snapshot as the active one, for a scope; after an Error the end of the transaction pops it.
class LatestSnapshot {
public:
    LatestSnapshot() : exceptions_(std::uncaught_exceptions()) {
        call([] { PushActiveSnapshot(GetLatestSnapshot()); });
    }
    ~LatestSnapshot() {
        if (std::uncaught_exceptions() == exceptions_) PopActiveSnapshot();
    }
    LatestSnapshot(const LatestSnapshot &) = delete;
    LatestSnapshot &operator=(const LatestSnapshot &) = delete;

private:
    int exceptions_;
};

// One row of a result; columns count from 1.
class Row {
public:
    Row(HeapTuple tuple, TupleDesc desc) : tuple_(tuple), desc_(desc) {}
    bool is_null(int column) const {
        bool null;
        (void)get(column, &null);
        return null;
    }
    Datum datum(int column) const {
        bool null;
        return get(column, &null);
    }
    int64 int8(int column) const { return DatumGetInt64(datum(column)); }
    int32 int4(int column) const { return DatumGetInt32(datum(column)); }
    HeapTuple tuple() const { return tuple_; }
    bool boolean(int column) const { return DatumGetBool(datum(column)); }
    uint64 xid8(int column) const { return U64FromFullTransactionId(DatumGetFullTransactionId(datum(column))); }
    std::string_view text(int column) const { return view(datum(column)); }
    std::optional<std::string_view> optional_text(int column) const {
        bool null;
        Datum value = get(column, &null);
        if (null) return std::nullopt;
        return view(value);
    }

private:
    Datum get(int column, bool *null) const {
        return call([&] { return SPI_getbinval(tuple_, desc_, column, null); });
    }
    HeapTuple tuple_;
    TupleDesc desc_;
};

// A plan prepared at first use and kept for the life of the process. Make it a function-local static: it has no destructor.
class Plan {
public:
    constexpr Plan(const char *sql) : sql_(sql) {}
    struct Param {
        Oid type;
        Datum value;
        bool null = false;
    };
    // Runs it inside an SpiSession and returns the number of rows; row(n) reads the last result.
    uint64 run(std::initializer_list<Param> params = {}, bool read_only = false, long max_rows = 0);
    // Calls each(row) for every row of the result.
    template <class Each>
    uint64 for_each(std::initializer_list<Param> params, Each &&each, bool read_only = false) {
        const uint64 rows = run(params, read_only);
        SPITupleTable *table = SPI_tuptable;  // each() may run another plan
        for (uint64 i = 0; i < rows; ++i) each(Row(table->vals[i], table->tupdesc));
        return rows;
    }

private:
    const char *sql_;
    SPIPlanPtr plan_ = nullptr;
};

// Adds a row to the result of a set-returning function; its columns have the very types of the result's.
inline void put_row(ReturnSetInfo *result, const Row &row) {
    call([&] { tuplestore_puttuple(result->setResult, row.tuple()); });
}

inline Row result_row(uint64 n = 0) { return Row(SPI_tuptable->vals[n], SPI_tuptable->tupdesc); }

inline Plan::Param param_text(std::string_view value) { return {TEXTOID, text_datum(value)}; }
inline Plan::Param param_text(const std::string &value) { return {TEXTOID, text_datum(value)}; }
inline Plan::Param param_text(const std::optional<std::string> &value) {
    return value ? Plan::Param{TEXTOID, text_datum(*value)} : Plan::Param{TEXTOID, Datum(0), true};
}
inline Plan::Param param_json(std::string_view value) { return {JSONOID, text_datum(value)}; }
inline Plan::Param param_json(const std::string &value) { return {JSONOID, text_datum(value)}; }
inline Plan::Param param_json(const std::optional<std::string> &value) {
    return value ? param_json(std::string_view(*value)) : Plan::Param{JSONOID, Datum(0), true};
}
inline Plan::Param param_int8(int64 value) { return {INT8OID, Int64GetDatum(value)}; }
inline Plan::Param param_texts(const std::vector<std::string_view> &values) { return {TEXTARRAYOID, text_array_datum(values)}; }
inline Plan::Param param_int8s(const std::vector<int64> &values) { return {INT8ARRAYOID, int8_array_datum(values)}; }
inline Plan::Param param_int4(int32 value) { return {INT4OID, Int32GetDatum(value)}; }

}  // namespace pulse::pg
