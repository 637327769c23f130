// The role switch, and the utility hook that refuses what would outlive it.
#include "pg/run_as.hpp"

namespace pulse::pg {

static int depth = 0;         // RunAs scopes open
static bool forcing = false;  // inside force_deferred()
static ProcessUtility_hook_type previous_utility = nullptr;

RunAs::RunAs(Oid role) : depth_(depth) {
    GetUserIdAndSecContext(&user_, &security_);
    SetUserIdAndSecContext(role, security_ | SECURITY_LOCAL_USERID_CHANGE);
    ++depth;
}

RunAs::~RunAs() {
    SetUserIdAndSecContext(user_, security_);
    depth = depth_;
}

void force_deferred() {
    const bool before = forcing;
    forcing = true;
    std::optional<Raised> error;
    try {
        call([] {
            ConstraintsSetStmt *all = makeNode(ConstraintsSetStmt);
            all->constraints = NIL;
            all->deferred = false;
            AfterTriggerSetState(all);
        });
    } catch (const Error &e) {
        error = e.raised();
    }
    forcing = before;
    if (error) throw Error(*error);
}

Oid function_owner(FunctionCallInfo fcinfo) {
    return call([=] {
        HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(fcinfo->flinfo->fn_oid));
        if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for function %u", fcinfo->flinfo->fn_oid);
        const Oid owner = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->proowner;
        ReleaseSysCache(tuple);
        return owner;
    });
}

SettingScope::~SettingScope() {
    // As for an abort: what user code SET inside goes back as well, instead of staying in a pooled session.
    if (std::uncaught_exceptions() == exceptions_) AtEOXact_GUC(false, level_);
}

void SettingScope::set(const char *name, const char *value) {
    call([=] { (void)set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false); });
}

static void on_utility(PlannedStmt *statement, const char *query, bool read_only_tree, ProcessUtilityContext context, ParamListInfo params,
                       QueryEnvironment *environment, DestReceiver *receiver, QueryCompletion *completion) {
    if (depth > 0) {
        const Node *node = statement->utilityStmt;
        if (IsA(node, DeclareCursorStmt) && (reinterpret_cast<const DeclareCursorStmt *>(node)->options & CURSOR_OPT_HOLD))
            ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("cursors WITH HOLD are refused in handlers, policies and jobs"),
                            errhint("Their query would run at commit, as another role.")));
        if (forcing && IsA(node, ConstraintsSetStmt) && reinterpret_cast<const ConstraintsSetStmt *>(node)->deferred)
            ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                            errmsg("constraints cannot be deferred again at the end of a handler or job")));
    }
    if (previous_utility != nullptr)
        previous_utility(statement, query, read_only_tree, context, params, environment, receiver, completion);
    else
        standard_ProcessUtility(statement, query, read_only_tree, context, params, environment, receiver, completion);
}

// Unwinding closes every scope, except when the process leaves by FATAL: then nothing of it matters any more.
void init_run_as() {
    previous_utility = ProcessUtility_hook;
    ProcessUtility_hook = on_utility;
}

}  // namespace pulse::pg
