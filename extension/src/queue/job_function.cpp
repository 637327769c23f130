// Lookup and both ways to call.
#include "queue/job_function.hpp"

#include <map>
#include <memory>

namespace pulse::queue {

namespace {

constexpr std::size_t kMostFunctions = 1000;

std::uint64_t changes = 1;  // of functions, schemas and roles, in this process's view of the catalog

void on_change(Datum, int, uint32) { ++changes; }

void watch_catalog() {
    for (const int cache : {PROCOID, NAMESPACEOID, AUTHOID, AUTHMEMMEMROLE, AUTHMEMROLEMEM})
        CacheRegisterSyscacheCallback(cache, on_change, Datum(0));
}

// Where a call's argument and result are; the calls before it need theirs no more.
MemoryContext scratch() {
    static MemoryContext memory = nullptr;
    if (memory == nullptr) memory = AllocSetContextCreate(TopMemoryContext, "one job", ALLOCSET_DEFAULT_SIZES);
    MemoryContextReset(memory);
    return memory;
}

// Languages whose functions keep what they prepare from call to call: all but internal, C and SQL, which have OIDs from before the
// catalogs are filled. SQL functions prepare anew in each transaction, but a plan may inline them; what is written in C may expect a plan
// around it.
bool is_procedural(Oid language) { return language >= FirstGenbkiObjectId; }

}  // namespace

JobFunction &JobFunction::of(const std::string &name, Oid role) {
    static auto *functions = new std::map<std::pair<Oid, std::string>, std::unique_ptr<JobFunction>>;
    static JobFunction *last = nullptr;
    if (last != nullptr && last->role_ == role && last->name_ == name) return *last;
    auto known = functions->find({role, name});
    if (known == functions->end()) {
        if (functions->size() >= kMostFunctions) {
            last = nullptr;
            functions->clear();
        }
        known = functions->emplace(std::pair{role, name}, std::make_unique<JobFunction>(name, role)).first;
    }
    last = known->second.get();
    return *last;
}

JobFunction::JobFunction(const std::string &name, Oid role) : name_(name), role_(role) {
    memory_ = pg::call([] {
        static bool watched = false;
        if (!std::exchange(watched, true)) watch_catalog();
        return AllocSetContextCreate(TopMemoryContext, "function of a job", ALLOCSET_SMALL_SIZES);
    });
}

JobFunction::~JobFunction() {
    if (plan_ != nullptr) (void)pg::callback("forgetting a job's plan", [this] { SPI_freeplan(plan_); });
    MemoryContextDelete(memory_);
}

// What is wrong with it, the plan says.
void JobFunction::look_up() {
    direct_ = false;
    const std::uint64_t now = changes;
    direct_ = pg::call([&] {
        MemoryContextReset(memory_);
        const Oid types[] = {JSONOID};
        const Oid oid = LookupFuncName(stringToQualifiedNameList(name_.c_str()), 1, types, true);
        HeapTuple tuple = OidIsValid(oid) ? SearchSysCache1(PROCOID, ObjectIdGetDatum(oid)) : nullptr;
        if (!HeapTupleIsValid(tuple)) return false;
        const auto *form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
        const bool right = form->prokind == PROKIND_FUNCTION && !form->proretset && form->prorettype == JSONOID &&
                           is_procedural(form->prolang) && pg_proc_aclcheck(oid, GetUserId(), ACL_EXECUTE) == ACLCHECK_OK;
        ReleaseSysCache(tuple);
        if (right) fmgr_info_cxt(oid, &info_, memory_);
        return right;
    });
    seen_ = now;
}

std::optional<std::string> JobFunction::call_directly(std::string_view args) {
    Datum result = 0;
    const bool null = pg::call([&] {
        const MemoryContext before = MemoryContextSwitchTo(scratch());
        LOCAL_FCINFO(fcinfo, 1);
        InitFunctionCallInfoData(*fcinfo, &info_, 1, InvalidOid, nullptr, nullptr);
        fcinfo->args[0] = {PointerGetDatum(cstring_to_text_with_len(args.data(), static_cast<int>(args.size()))), false};
        InvokeFunctionExecuteHook(info_.fn_oid);
        PushActiveSnapshot(GetTransactionSnapshot());
        PgStat_FunctionCallUsage usage;
        pgstat_init_function_usage(fcinfo, &usage);
        result = FunctionCallInvoke(fcinfo);
        pgstat_end_function_usage(&usage, true);
        PopActiveSnapshot();
        CommandCounterIncrement();
        MemoryContextSwitchTo(before);
        return fcinfo->isnull;
    });
    if (null) return std::nullopt;
    return std::string(pg::view(result));
}

std::optional<std::string> JobFunction::call_by_plan(std::string_view args) {
    const pg::SpiSession spi;
    pg::call([&] {
        Datum values[] = {PointerGetDatum(cstring_to_text_with_len(args.data(), static_cast<int>(args.size())))};
        if (plan_ == nullptr) {
            Oid types[] = {JSONOID};
            const char *sql = psprintf("SELECT %s($1)", name_.c_str());
            SPIPlanPtr prepared = SPI_prepare(sql, 1, types);
            if (prepared == nullptr) elog(ERROR, "could not prepare \"%s\": %s", sql, SPI_result_code_string(SPI_result));
            if (SPI_keepplan(prepared) != 0) elog(ERROR, "could not keep the plan of \"%s\"", sql);
            plan_ = prepared;
        }
        if (SPI_execute_plan(plan_, values, nullptr, false, 0) != SPI_OK_SELECT) elog(ERROR, "job's function is no SELECT");
    });
    if (SPI_processed == 1)
        if (const auto text = pg::result_row().optional_text(1)) return std::string(*text);
    return std::nullopt;
}

std::optional<std::string> JobFunction::operator()(std::string_view args) {
    if (seen_ != changes) look_up();
    if (!direct_) return call_by_plan(args);
    try {
        return call_directly(args);
    } catch (const pg::Error &) {
        seen_ = 0;  // what it had prepared may be half done
        throw;
    }
}

}  // namespace pulse::queue
