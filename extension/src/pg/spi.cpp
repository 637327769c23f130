// Saved plans.
#include "pg/spi.hpp"

namespace pulse::pg {

uint64 Plan::run(std::initializer_list<Param> params, bool read_only, long max_rows) {
    constexpr size_t kMaxParams = 20;
    Oid types[kMaxParams];
    Datum values[kMaxParams];
    char nulls[kMaxParams];
    if (params.size() > kMaxParams) fail(ERRCODE_INTERNAL_ERROR, "too many parameters of a plan");
    int count = 0;
    for (const Param &param : params) {
        types[count] = param.type;
        values[count] = param.value;
        nulls[count] = param.null ? 'n' : ' ';
        ++count;
    }
    return call([&]() -> uint64 {
        if (plan_ == nullptr) {
            SPIPlanPtr prepared = SPI_prepare(sql_, count, types);
            if (prepared == nullptr) elog(ERROR, "could not prepare \"%s\": %s", sql_, SPI_result_code_string(SPI_result));
            if (SPI_keepplan(prepared) != 0) elog(ERROR, "could not keep the plan of \"%s\"", sql_);
            plan_ = prepared;
        }
        const int code = SPI_execute_plan(plan_, values, nulls, read_only, max_rows);
        if (code < 0) elog(ERROR, "could not run \"%s\": %s", sql_, SPI_result_code_string(code));
        return SPI_processed;
    });
}

}  // namespace pulse::pg
