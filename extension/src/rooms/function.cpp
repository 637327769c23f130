// Resolving, checking and calling registered functions.
#include "rooms/function.hpp"

#include <algorithm>

namespace pulse::rooms {

const Shape kPolicyShape{"pulse.policy", "f(claims json, room text, params json) returns boolean", 3, {JSONOID, TEXTOID, JSONOID}, BOOLOID};
const Shape kHandlerShape{"pulse.on", "f(args json) returns json", 1, {JSONOID, InvalidOid, InvalidOid}, JSONOID};
const Shape kConnectShape{"pulse.namespace", "f(claims json) returns json", 1, {JSONOID, InvalidOid, InvalidOid}, JSONOID};
const Shape kStreamShape{"pulse.stream", "f(request json) returns json", 1, {JSONOID, InvalidOid, InvalidOid}, JSONOID};
const Shape kRouteShape{"pulse.route", "f(request json) returns json", 1, {JSONOID, InvalidOid, InvalidOid}, JSONOID};
const Shape kAnswerShape{"pulse.ask", "f(args json) returns json", 1, {JSONOID, InvalidOid, InvalidOid}, JSONOID};

Oid client_role() {
    return pg::call([] { return get_role_oid("pulse_client", false); });
}

// A pg_proc row by value.
struct Found {
    Oid oid = InvalidOid, schema = InvalidOid;
    char kind = '\0';
    bool returns_set = false;
    Oid result = InvalidOid;
    const char *name = nullptr, *schema_name = nullptr;  // palloc'd
    bool same_arguments = false;
};

static Found describe(Oid oid, const Shape &shape) {
    return pg::call([&]() -> Found {
        Found found;
        if (!OidIsValid(oid)) return found;
        HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
        if (!HeapTupleIsValid(tuple)) return found;
        auto form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
        found.oid = oid;
        found.schema = form->pronamespace;
        found.kind = form->prokind;
        found.returns_set = form->proretset;
        found.result = form->prorettype;
        found.name = pstrdup(NameStr(form->proname));
        found.schema_name = get_namespace_name(form->pronamespace);
        found.same_arguments = form->pronargs == shape.count;
        for (int i = 0; found.same_arguments && i < shape.count; ++i)
            found.same_arguments = form->proargtypes.values[i] == shape.arguments[i];
        ReleaseSysCache(tuple);
        return found;
    });
}

// schema.name(types), quoted, as GRANT takes it; palloc'd. May ereport: inside call() only.
static char *write_signature(Oid oid) {
    HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for function %u", oid);
    auto form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
    StringInfoData text;
    initStringInfo(&text);
    appendStringInfo(&text, "%s(", quote_qualified_identifier(get_namespace_name(form->pronamespace), NameStr(form->proname)));
    for (int i = 0; i < form->pronargs; ++i)
        appendStringInfo(&text, "%s%s", i == 0 ? "" : ", ", format_type_be(form->proargtypes.values[i]));
    appendStringInfoChar(&text, ')');
    ReleaseSysCache(tuple);
    return text.data;
}
static std::string signature(Oid oid) {
    return pg::call([=] { return write_signature(oid); });
}

static bool fits(const Found &found, const Shape &shape) {
    return OidIsValid(found.oid) && found.same_arguments && found.kind == PROKIND_FUNCTION && !found.returns_set &&
           found.result == shape.result;
}

// The function of that name with the shape's arguments, or InvalidOid.
static Oid look_up(const std::string &name, const Shape &shape) {
    return pg::call([&] {
        List *parts = stringToQualifiedNameList(name.c_str());
        return LookupFuncName(parts, shape.count, shape.arguments, true);
    });
}

static bool may_use_schema(const Found &found, Oid role) {
    return pg::call([&] { return pg_namespace_aclcheck(found.schema, role, ACL_USAGE) == ACLCHECK_OK; });
}
static bool may_execute(const Found &found, Oid role) {
    return pg::call([&] { return pg_proc_aclcheck(found.oid, role, ACL_EXECUTE) == ACLCHECK_OK; });
}
static std::string grant_needed(const Found &found, Oid role) {
    std::string grant;
    const auto quote = [](const char *name) { return std::string(pg::call([=] { return quote_identifier(name); })); };
    if (!may_use_schema(found, role)) grant += "GRANT USAGE ON SCHEMA " + quote(found.schema_name) + " TO pulse_client; ";
    if (!may_execute(found, role)) grant += "GRANT EXECUTE ON FUNCTION " + signature(found.oid) + " TO pulse_client; ";
    if (!grant.empty()) grant.pop_back();
    return grant;
}

// The signatures that the name does have, for the hint.
static std::string others(const std::string &name) {
    return pg::call([&]() -> const char * {
        StringInfoData text;
        initStringInfo(&text);
        List *parts = stringToQualifiedNameList(name.c_str());
        int shown = 0;
        for (FuncCandidateList it = FuncnameGetCandidates(parts, -1, NIL, false, false, false, true); it != nullptr && shown < 5;
             it = it->next, ++shown)
            appendStringInfo(&text, "%s%s returns %s", shown == 0 ? " There is " : ", ", write_signature(it->oid),
                             format_type_be(get_func_rettype(it->oid)));
        if (shown > 0) appendStringInfoChar(&text, '.');
        return text.data;
    });
}

std::string check_function(std::string_view given, const Shape &shape) {
    const std::string name(given);
    const std::string needed = std::string(shape.registered_by) + " needs a function " + shape.text + ".";
    if (name.find_first_not_of(" \t\n") == std::string::npos) pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "no function is given", {}, needed);
    Oid oid = InvalidOid;
    if (name.back() == ')') {
        oid = pg::call([&]() -> Oid {
            LOCAL_FCINFO(fcinfo, 1);
            InitFunctionCallInfoData(*fcinfo, nullptr, 1, InvalidOid, nullptr, nullptr);
            fcinfo->args[0] = {PointerGetDatum(cstring_to_text(name.c_str())), false};
            const Datum result = to_regprocedure(fcinfo);
            return fcinfo->isnull ? InvalidOid : DatumGetObjectId(result);
        });
        if (!OidIsValid(oid)) pg::fail(ERRCODE_UNDEFINED_FUNCTION, "function " + name + " does not exist", {}, needed);
    } else {
        oid = look_up(name, shape);
        if (!OidIsValid(oid))
            pg::fail(ERRCODE_UNDEFINED_FUNCTION, "no function \"" + name + "\" with the arguments that " + shape.registered_by + " needs",
                     {}, needed + others(name));
    }
    const Found found = describe(oid, shape);
    if (!fits(found, shape))
        pg::fail(ERRCODE_INVALID_FUNCTION_DEFINITION, "function " + signature(oid) + " has the wrong signature", {},
                 needed + " This one returns " + (found.returns_set ? "a set of " : "") +
                     pg::call([&] { return format_type_be(found.result); }) + ".");
    if (pg::call([&] { return isAnyTempNamespace(found.schema); }))
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "a temporary function cannot be registered");
    const std::string qualified = pg::call([&] { return quote_qualified_identifier(found.schema_name, found.name); });
    const std::string grant = grant_needed(found, client_role());
    if (!grant.empty())
        pg::call([&] {
            ereport(WARNING, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("pulse_client cannot execute %s yet", qualified.c_str()),
                              errhint("%s", grant.c_str())));
        });
    return qualified;
}

std::string qualified_or_as_given(std::string_view given, const Shape &shape) {
    const Found found = describe(look_up(std::string(given), shape), shape);
    if (!OidIsValid(found.oid)) return std::string(given);
    return pg::call([&] { return quote_qualified_identifier(found.schema_name, found.name); });
}

Callable::Callable(const std::string &name, const Shape &shape, MemoryContext context) : context_(context) {
    const Found found = describe(look_up(name, shape), shape);
    if (!fits(found, shape))
        pg::fail(ERRCODE_UNDEFINED_FUNCTION, "the registered function " + name + " is gone or has another signature", {},
                 std::string(shape.registered_by) + " needs a function " + shape.text + ".");
    // Names also come from the bridge's role, which can make temporary functions but must not run code of its own as pulse_client.
    if (pg::call([&] { return isAnyTempNamespace(found.schema); }))
        pg::fail(ERRCODE_INSUFFICIENT_PRIVILEGE, "a temporary function is never called: " + name);
    const Oid role = client_role();
    if (!may_use_schema(found, role) || !may_execute(found, role))
        pg::fail(ERRCODE_INSUFFICIENT_PRIVILEGE, "pulse_client cannot execute " + name, {}, grant_needed(found, role));
    pg::call([&] { fmgr_info_cxt(found.oid, &info_, context); });
}

void Callable::renew() {
    pg::call([&] { fmgr_info_cxt(info_.fn_oid, &info_, context_); });
}

std::optional<Datum> Callable::operator()(std::initializer_list<std::optional<Datum>> arguments) {
    if (strict() && std::any_of(arguments.begin(), arguments.end(), [](const auto &argument) { return !argument; })) return std::nullopt;
    Datum result = 0;
    const bool null = pg::call([&] {
        LOCAL_FCINFO(fcinfo, 3);
        InitFunctionCallInfoData(*fcinfo, &info_, static_cast<short>(arguments.size()), DEFAULT_COLLATION_OID, nullptr, nullptr);
        int n = 0;
        for (const auto &argument : arguments) fcinfo->args[n++] = {argument.value_or(0), !argument};
        PgStat_FunctionCallUsage usage;
        pgstat_init_function_usage(fcinfo, &usage);
        result = FunctionCallInvoke(fcinfo);
        pgstat_end_function_usage(&usage, true);
        return fcinfo->isnull;
    });
    if (null) return std::nullopt;
    return result;
}

}  // namespace pulse::rooms
