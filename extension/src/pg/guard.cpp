// The parts of the guards that need not be inlined.
#include "pg/guard.hpp"

#include <cstring>

namespace pulse::pg {

static void copy_text(char *to, size_t size, std::string_view from) {
    size_t length = std::min(from.size(), size - 1);
    // never cut a UTF-8 character in two
    if (length < from.size())
        while (length > 0 && (static_cast<unsigned char>(from[length]) & 0xC0) == 0x80) --length;
    if (length > 0) std::memcpy(to, from.data(), length);
    to[length] = '\0';
}

Raised make_raised(int sqlstate, std::string_view message, std::string_view detail, std::string_view hint) {
    Raised raised;
    raised.sqlstate = sqlstate;
    copy_text(raised.message, sizeof raised.message, message);
    copy_text(raised.detail, sizeof raised.detail, detail);
    copy_text(raised.hint, sizeof raised.hint, hint);
    raised.context[0] = '\0';
    raised.from_json_parser = false;
    return raised;
}

Raised within(const Raised &raised, std::string_view context) {
    Raised out = raised;
    std::string all = raised.context;
    all.resize(std::min(all.size(), sizeof out.context - std::min(sizeof out.context, context.size() + 2)));
    if (!all.empty()) all += '\n';
    copy_text(out.context, sizeof out.context, all.append(context));
    return out;
}

Raised take_error(MemoryContext caller) {
    static const char *const kOutOfMemory = "out of memory";
    Raised raised = make_raised(ERRCODE_OUT_OF_MEMORY, kOutOfMemory);
    {
        SavedStacks saved;
        sigjmp_buf jump;
        if (sigsetjmp(jump, 0) == 0) {
            PG_exception_stack = &jump;
            // ErrorContext itself is no place for the copy: FlushErrorState would free it.
            MemoryContextSwitchTo(caller == ErrorContext ? TopMemoryContext : caller);
            ErrorData *error = CopyErrorData();
            raised = make_raised(error->sqlerrcode, error->message ? error->message : "", error->detail ? error->detail : "",
                                 error->hint ? error->hint : "");
            copy_text(raised.context, sizeof raised.context, error->context ? error->context : "");
            raised.from_json_parser = error->filename != nullptr && std::strcmp(error->filename, "jsonfuncs.c") == 0;
            FreeErrorData(error);
        }
    }
    FlushErrorState();
    MemoryContextSwitchTo(caller);
    return raised;
}

Raised raised_from_current_exception() noexcept {
    try {
        throw;
    } catch (const Error &e) {
        return e.raised();
    } catch (const std::bad_alloc &) {
        return make_raised(ERRCODE_OUT_OF_MEMORY, "out of memory");
    } catch (const std::exception &e) {
        return make_raised(ERRCODE_INTERNAL_ERROR, e.what());
    } catch (...) {
        return make_raised(ERRCODE_INTERNAL_ERROR, "unknown C++ exception");
    }
}

void raise(const Raised &raised) {
    ereport(ERROR,
            (errcode(raised.sqlstate), errmsg_internal("%s", raised.message),
             raised.detail[0] != '\0' ? errdetail_internal("%s", raised.detail) : 0,
             raised.hint[0] != '\0' ? errhint("%s", raised.hint) : 0, raised.context[0] != '\0' ? errcontext("%s", raised.context) : 0));
    pg_unreachable();
}

void log_swallowed(const char *where, const Raised &raised) noexcept {
    SavedStacks saved;
    sigjmp_buf jump;
    if (sigsetjmp(jump, 0) == 0) {
        PG_exception_stack = &jump;
        ereport(LOG, (errcode(raised.sqlstate), errmsg_internal("pulse: %s: %s", where, raised.message)));
    } else {
        FlushErrorState();
    }
}

}  // namespace pulse::pg
