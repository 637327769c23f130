// Functions and a trigger that fail in every way a C++ body in PostgreSQL can fail. The guards under test are extension/src/pg/guard.hpp.
#include <malloc.h>

#include <limits>
#include <stdexcept>

#include "pg/spi.hpp"
#include "pg/text.hpp"
#include "witness.hpp"

extern "C" {
PG_MODULE_MAGIC;
}

namespace pg = pulse::pg;

static void fail_here(const std::string &kind) {
    if (kind == "bad_alloc") throw std::bad_alloc();
    if (kind == "real_bad_alloc") {
        volatile std::size_t huge = std::numeric_limits<std::ptrdiff_t>::max();
        ::operator delete(::operator new(huge));
    }
    if (kind == "runtime_error") throw std::runtime_error("a runtime_error of C++");
    if (kind == "int") throw 42;
    if (kind == "fail") pg::fail(ERRCODE_CHECK_VIOLATION, "raised from C++", "its detail", "Its hint.");
    if (kind == "ereport")
        pg::call([] {
            ereport(ERROR, (errcode(ERRCODE_DIVISION_BY_ZERO), errmsg("raised by PostgreSQL"), errdetail("%s", "its detail"),
                            errhint("Its hint.")));
        });
    if (kind == "palloc") pg::call([] { palloc(MaxAllocHugeSize); });
    if (kind == "long") {
        const std::string text(5000, 'x');
        pg::call([&] {
            ereport(ERROR, (errcode(ERRCODE_RAISE_EXCEPTION), errmsg_internal("%s", text.c_str()), errdetail_internal("%s", text.c_str()),
                            errhint("%s", text.c_str())));
        });
    }
    if (kind == "rethrown") {
        // Through a handler of C++ in the middle, as a library would have one.
        try {
            const Witness witness;
            fail_here("ereport");
        } catch (...) {
            const Witness witness;
            throw;
        }
    }
    if (kind == "cancel") pg::call([] { ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED), errmsg("canceled"))); });
}

void fail_below(const std::string &kind, int depth) {
    const Witness witness;
    const std::vector<std::unique_ptr<Witness>> more = [] {
        std::vector<std::unique_ptr<Witness>> made;
        for (int i = 0; i < 2; ++i) made.push_back(std::make_unique<Witness>());
        return made;
    }();
    if (depth > 0) return fail_below(kind, depth - 1);
    fail_here(kind);
}

// boundary.fail(kind text, depth int)
PULSE_FN(boundary_fail) {
    const Witness witness;
    fail_below(pg::to_string(pg::arg(fcinfo, 0)), DatumGetInt32(pg::arg(fcinfo, 1)));
    return pg::null_result(fcinfo);
}

// boundary.run(sql text): SQL from a C++ frame with live objects.
PULSE_FN(boundary_run) {
    const Witness witness;
    const std::string sql = pg::to_string(pg::arg(fcinfo, 0));
    pg::SpiSession session;
    pg::call([&] { SPI_execute(sql.c_str(), false, 0); });
    return pg::null_result(fcinfo);
}

// boundary.attempt(sql text) returns text: the SQLSTATE of what fails in a subtransaction, null when nothing does.
PULSE_FN(boundary_attempt) {
    const Witness witness;
    const std::string sql = pg::to_string(pg::arg(fcinfo, 0));
    const auto error = pg::subtransaction([&] {
        const Witness inner;
        pg::SpiSession session;
        pg::call([&] { SPI_execute(sql.c_str(), false, 0); });
    });
    if (!error) return pg::null_result(fcinfo);
    return pg::text_datum(pg::call([&]() -> const char * { return unpack_sql_state(error->sqlstate); }));
}

// boundary.attempt_cpp(kind text) returns text: likewise for what C++ throws.
PULSE_FN(boundary_attempt_cpp) {
    const std::string kind = pg::to_string(pg::arg(fcinfo, 0));
    const auto error = pg::subtransaction([&] { fail_below(kind, 3); });
    if (!error) return pg::null_result(fcinfo);
    return pg::text_datum(std::string(error->message));
}

// The trigger fails in the way its argument names.
PULSE_FN(boundary_trigger) {
    const auto *trigger = reinterpret_cast<TriggerData *>(fcinfo->context);
    fail_below(trigger->tg_trigger->tgargs[0], 3);
    return PointerGetDatum(nullptr);
}

// boundary.fail_at_commit(kind text): the third guard. The transaction commits whatever its callback throws.
static char commit_kind[32];
static void on_commit(XactEvent event, void *) {
    if (event != XACT_EVENT_COMMIT || commit_kind[0] == '\0') return;
    pg::callback("boundary test", [] {
        const std::string kind = commit_kind;
        commit_kind[0] = '\0';
        fail_below(kind, 3);
    });
}
PULSE_FN(boundary_fail_at_commit) {
    static bool registered = false;
    const std::string kind = pg::to_string(pg::arg(fcinfo, 0));
    pg_snprintf(commit_kind, sizeof commit_kind, "%s", kind.c_str());
    if (!registered) pg::call([] { RegisterXactCallback(on_commit, nullptr); });
    registered = true;
    return pg::null_result(fcinfo);
}

// boundary.leak(): how not to do it. Raises out of a handler and past a live object: the control that shows that the
// measurements below would see a leak.
extern "C" PULSE_EXPORT Datum boundary_leak(FunctionCallInfo fcinfo);
extern "C" {
PG_FUNCTION_INFO_V1(boundary_leak);
}
extern "C" Datum boundary_leak(FunctionCallInfo) {
    try {
        throw std::runtime_error("leaks");
    } catch (const std::exception &e) {
        const Witness witness;
        ereport(ERROR, (errmsg_internal("%s", e.what())));
    }
    return Datum(0);
}

PULSE_FN(boundary_alive) { return Int64GetDatum(Witness::alive); }
PULSE_FN(boundary_destroyed) { return Int64GetDatum(Witness::destroyed); }
// Bytes in use on the C++ heap. PostgreSQL's own contexts lie on it too: see pg_backend_memory_contexts for those.
PULSE_FN(boundary_heap) { return Int64GetDatum(static_cast<int64>(mallinfo2().uordblks + mallinfo2().hblkhd)); }
