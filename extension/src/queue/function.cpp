// Lookup and checks of a job's function.
#include "queue/function.hpp"

#include <map>

namespace pulse::queue {

static constexpr const char *kNeeded = "Name a function f(args json) returns json: with its schema, or one that your search_path finds.";

namespace {

// What was found in order, by who asks and the name, until a function, a schema, a role or a membership changes. Names without a schema are
// not here: they are what the search_path of the moment says.
std::map<std::pair<Oid, std::string>, std::string> *known = nullptr;
std::uint64_t changes = 0;

void on_syscache(Datum, int, uint32) { ++changes; }

std::string look_up(const std::string &name) {
    struct Found {
        Oid oid;
        bool right_kind, executable;
        const char *qualified;
    };
    const bool is_name = pg::call([&] {
        List *parts = NIL;
        return SplitIdentifierString(pstrdup(name.c_str()), '.', &parts) && list_length(parts) >= 1 && list_length(parts) <= 3;
    });
    if (!is_name) pg::fail(ERRCODE_INVALID_NAME, "\"" + name + "\" is no name of a function", {}, kNeeded);
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

}  // namespace

bool is_qualified(std::string_view name) { return name.find('.') != std::string::npos && name.find('"') == std::string::npos; }

std::string check_function(const std::string &name) {
    static std::uint64_t as_of = 0;
    constexpr std::size_t kMostKnown = 1000;
    if (!is_qualified(name)) return look_up(name);
    if (known == nullptr) known = new std::map<std::pair<Oid, std::string>, std::string>;
    if (as_of != changes || known->size() >= kMostKnown) known->clear();
    as_of = changes;
    std::pair<Oid, std::string> asked(GetUserId(), name);
    if (const auto found = known->find(asked); found != known->end()) return found->second;
    std::string qualified = look_up(name);
    if (as_of == changes) known->emplace(std::move(asked), qualified);  // else something changed meanwhile
    return qualified;
}

void init_functions() {
    for (const int cache : {PROCOID, NAMESPACEOID, AUTHOID, AUTHMEMROLEMEM}) CacheRegisterSyscacheCallback(cache, on_syscache, Datum(0));
}

}  // namespace pulse::queue
