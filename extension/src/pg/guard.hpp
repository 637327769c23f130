// The boundary between C++ and PostgreSQL. Three guards and nothing else:
//   entry     C++ → PostgreSQL: the frame of every SQL-callable function (process(): of a worker's main); an exception
//             becomes an ereport.
//   call      PostgreSQL → C++: the only way to call what may ereport while an object with a destructor is alive in
//             the caller; an ereport becomes a pg::Error. Inside only trivially destructible locals: longjmp runs no destructors.
//   callback  for transaction, relcache, exit and GUC hooks: logs, never raises (an ERROR after commit is unsafe).
// An Error means that the transaction is spoiled: it travels to entry, through subtransaction(), or ends the worker.
// Nobody else writes PG_TRY, PG_FUNCTION_INFO_V1 or catch (...).
#pragma once

#include "pg/pg.hpp"

#include <csetjmp>

namespace pulse::pg {

// A PostgreSQL error by value. No destructor: it may be longjmped over.
struct Raised {
    int sqlstate;
    char message[1024];
    char detail[1024];
    char hint[512];
    char context[1024];
    bool from_json_parser;  // PostgreSQL's own stumbled over a JSON text
};

class Error : public std::exception {
public:
    explicit Error(const Raised &raised) : raised_(raised) {}
    const char *what() const noexcept override { return raised_.message; }
    const Raised &raised() const noexcept { return raised_; }

private:
    Raised raised_;
};

// Restores the error machinery's globals on every path out of a scope.
class SavedStacks {
public:
    SavedStacks() : exception_(PG_exception_stack), context_(error_context_stack) {}
    ~SavedStacks() { restore(); }
    SavedStacks(const SavedStacks &) = delete;
    SavedStacks &operator=(const SavedStacks &) = delete;
    void restore() const {
        PG_exception_stack = exception_;
        error_context_stack = context_;
    }

private:
    sigjmp_buf *exception_;
    ErrorContextCallback *context_;
};

Raised make_raised(int sqlstate, std::string_view message, std::string_view detail = {}, std::string_view hint = {});
// The same error, with a line more of where it happened; that line is never cut.
Raised within(const Raised &raised, std::string_view context);
// Copies PostgreSQL's current error and clears it. Guarded itself: out of memory meanwhile gives an out-of-memory Raised.
Raised take_error(MemoryContext caller);
// The Raised of the exception being handled; call only inside a handler.
Raised raised_from_current_exception() noexcept;
// ereport(ERROR); call only where no object with a destructor is alive.
[[noreturn]] void raise(const Raised &raised);

template <class F>
std::invoke_result_t<F> call(F &&f) {
    const MemoryContext caller = CurrentMemoryContext;
    {
        SavedStacks saved;
        sigjmp_buf jump;
        if (sigsetjmp(jump, 0) == 0) {
            PG_exception_stack = &jump;
            return f();
        }
    }
    throw Error(take_error(caller));
}

template <Datum (*Body)(FunctionCallInfo)>
Datum entry(FunctionCallInfo fcinfo) {
    Raised raised;
    try {
        return Body(fcinfo);
    } catch (...) {
        raised = raised_from_current_exception();
    }
    raise(raised);  // after the handler: a longjmp out of a catch would leak the exception
}

// The frame of a background worker's main: an exception becomes an ereport, which ends the process.
template <class F>
void process(F &&body) {
    Raised raised;
    try {
        body();
        return;
    } catch (...) {
        raised = raised_from_current_exception();
    }
    raise(raised);
}

void log_swallowed(const char *where, const Raised &raised) noexcept;

// Runs f where nothing may be raised any more. Returns whether it succeeded.
template <class F>
bool callback(const char *where, F &&f) noexcept {
    Raised raised;
    try {
        call([&] { f(); });
        return true;
    } catch (...) {
        raised = raised_from_current_exception();
    }
    log_swallowed(where, raised);
    return false;
}

// Raises from C++ code with objects alive.
[[noreturn]] inline void fail(int sqlstate, std::string_view message, std::string_view detail = {}, std::string_view hint = {}) {
    throw Error(make_raised(sqlstate, message, detail, hint));
}

// Runs f in a subtransaction: commits it, or rolls it back and returns the error. A cancelled query is not an
// error of f: it is thrown on. (The end of this process never arrives here; its SQLSTATE may, from a server that f has asked.) Restores
// memory context and resource owner on both ways.
template <class F>
std::optional<Raised> subtransaction(F &&f) {
    const MemoryContext context = CurrentMemoryContext;
    const ResourceOwner owner = CurrentResourceOwner;
    call([] { BeginInternalSubTransaction(nullptr); });
    MemoryContextSwitchTo(context);
    std::optional<Raised> error;
    try {
        f();
        call([] { ReleaseCurrentSubTransaction(); });
    } catch (const Error &e) {  // the usual one, without being thrown once more
        error = e.raised();
    } catch (...) {
        error = raised_from_current_exception();
    }
    if (error) {
        MemoryContextSwitchTo(context);
        call([] { RollbackAndReleaseCurrentSubTransaction(); });
    }
    MemoryContextSwitchTo(context);
    CurrentResourceOwner = owner;
    if (error && error->sqlstate == ERRCODE_QUERY_CANCELED) throw Error(*error);
    return error;
}

}  // namespace pulse::pg

#define PULSE_EXPORT __attribute__((visibility("default")))

// Defines an SQL-callable function: PULSE_FN(pulse_publish) { … use fcinfo … }
#define PULSE_FN(name)                                                                               \
    extern "C" PULSE_EXPORT Datum name(FunctionCallInfo fcinfo);                                     \
    extern "C" {                                                                                     \
    PG_FUNCTION_INFO_V1(name);                                                                       \
    }                                                                                                \
    static Datum name##_body(FunctionCallInfo fcinfo);                                               \
    extern "C" Datum name(FunctionCallInfo fcinfo) { return pulse::pg::entry<name##_body>(fcinfo); } \
    static Datum name##_body([[maybe_unused]] FunctionCallInfo fcinfo)
