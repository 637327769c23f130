// Lookup and checks of a job's function.
#include "queue/function.hpp"

namespace pulse::queue {

static constexpr const char *kNeeded = "Name a function f(args json) returns json: with its schema, or one that your search_path finds.";

std::string check_function(const std::string &name) {
    struct Found {
        Oid oid;
        bool right_kind, executable;
        const char *qualified;
    };
    const Found found = pg::call([&]() -> Found {
        List *parts = stringToQualifiedNameList(name.c_str());
        const Oid arguments[] = {JSONOID};
        const Oid oid = LookupFuncName(parts, 1, arguments, true);
        if (!OidIsValid(oid)) return {};
        HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
        if (!HeapTupleIsValid(tuple)) return {};
        const auto *form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
        Found result;
        result.oid = oid;
        result.right_kind = form->prokind == PROKIND_FUNCTION && !form->proretset && form->prorettype == JSONOID;
        result.executable = pg_proc_aclcheck(oid, GetUserId(), ACL_EXECUTE) == ACLCHECK_OK &&
                            pg_namespace_aclcheck(form->pronamespace, GetUserId(), ACL_USAGE) == ACLCHECK_OK;
        result.qualified = isAnyTempNamespace(form->pronamespace)
                               ? nullptr
                               : quote_qualified_identifier(get_namespace_name(form->pronamespace), NameStr(form->proname));
        ReleaseSysCache(tuple);
        return result;
    });
    if (!OidIsValid(found.oid)) pg::fail(ERRCODE_UNDEFINED_FUNCTION, "function " + name + "(json) does not exist", {}, kNeeded);
    if (!found.right_kind) pg::fail(ERRCODE_INVALID_FUNCTION_DEFINITION, "function " + name + "(json) does not return json", {}, kNeeded);
    if (!found.executable)
        pg::fail(ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied for function " + name, {},
                 "A job runs as the role that enqueues it: grant it EXECUTE on the function and USAGE on its schema.");
    if (found.qualified == nullptr) pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "a temporary function cannot be a job's", {}, kNeeded);
    return found.qualified;
}

}  // namespace pulse::queue
