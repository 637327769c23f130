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

// Statements whose effect is not the transaction's: it would stay in the session, or run at commit as its role. And what a role may do to
// itself: all clients share it.
static void refuse(Node *statement) {
    switch (nodeTag(statement)) {
        case T_DeclareCursorStmt:
            if ((reinterpret_cast<DeclareCursorStmt *>(statement)->options & CURSOR_OPT_HOLD) == 0) return;
            ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("cursors WITH HOLD are refused in handlers, policies and jobs"),
                            errhint("Their query would run at commit, as another role.")));
            break;
        case T_ConstraintsSetStmt:
            if (!forcing || !reinterpret_cast<ConstraintsSetStmt *>(statement)->deferred) return;
            ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                            errmsg("constraints cannot be deferred again at the end of a handler or job")));
            break;
        case T_ListenStmt:
        case T_UnlistenStmt:
        case T_PrepareStmt:
        case T_DeallocateStmt:
        case T_DiscardStmt:
            ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                            errmsg("%s is refused in handlers, policies and jobs", GetCommandTagName(CreateCommandTag(statement))),
                            errhint("It would outlive them in a session that belongs to the bridge or a worker.")));
            break;
        case T_DropOwnedStmt:
        case T_ReassignOwnedStmt:
        case T_AlterRoleStmt:
        case T_AlterRoleSetStmt:
            if (GetUserId() != get_role_oid("pulse_client", true)) return;
            ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                            errmsg("%s is refused to pulse_client", GetCommandTagName(CreateCommandTag(statement))),
                            errhint("All clients share this role, with its grants and settings.")));
            break;
        default: return;
    }
}

static void on_utility(PlannedStmt *statement, const char *query, bool read_only_tree, ProcessUtilityContext context, ParamListInfo params,
                       QueryEnvironment *environment, DestReceiver *receiver, QueryCompletion *completion) {
    if (depth > 0) refuse(statement->utilityStmt);
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
