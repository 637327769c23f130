// pulse.watch: checks everything a watch says, then creates an ordinary AFTER ROW trigger as the caller. Keeps nothing of its
// own: the trigger is the whole watch.
#include "publish/compiled.hpp"

#include "pg/spi.hpp"

namespace pulse::publish {

namespace {

enum Argument { kRelation, kEvent, kRooms, kOperations, kColumns, kCondition, kPayload, kChannel, kPartitionKey, kOnError, kName };

void require(const std::optional<Problem> &problem) {
    if (problem) pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, problem->message, {}, problem->hint);
}

std::string required(FunctionCallInfo fcinfo, Argument n, const char *name) {
    if (pg::arg_is_null(fcinfo, n))
        pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, std::string(name) + " is null", {},
                 "pulse.watch needs a relation, an event, rooms, operations and on_error.");
    return pg::to_string(pg::arg(fcinfo, n));
}

std::vector<std::string> name_list(FunctionCallInfo fcinfo, Argument n, const char *name) {
    std::vector<std::string> out;
    for (const auto &element : pg::text_array(pg::arg(fcinfo, n))) {
        if (!element)
            pg::fail(ERRCODE_NULL_VALUE_NOT_ALLOWED, std::string("an element of ") + name + " is null", {},
                     std::string("Take nulls out of ") + name + ".");
        out.emplace_back(*element);
    }
    if (out.empty())
        pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, std::string(name) + " is an empty array", {},
                 n == kRooms ? "Name at least one room, such as 'order:{id}'." : "Leave columns out to watch every update.");
    return out;
}

// The lock of CREATE TRIGGER from the start: taking a weaker one first invites a deadlock. So rights are asked before.
Relation open_table(Oid oid) {
    return pg::call([&] {
        const char *name = get_rel_name(oid);
        if (name == nullptr) ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation with OID %u does not exist", oid)));
        const AclResult allowed = pg_class_aclcheck(oid, GetUserId(), ACL_TRIGGER);
        if (allowed != ACLCHECK_OK) aclcheck_error(allowed, OBJECT_TABLE, name);
        return relation_open(oid, ShareRowExclusiveLock);
    });
}

void check_kind(Relation relation) {
    const std::string name = relation_name(relation);
    const std::string schema = pg::call([&]() -> const char * { return get_namespace_name(RelationGetNamespace(relation)); });
    const auto refuse = [&](const std::string &what, const char *hint) {
        pg::fail(ERRCODE_WRONG_OBJECT_TYPE, "cannot watch " + name + ": it is " + what, {}, hint);
    };
    const char *const kTables = "Tables and partitioned tables can be watched.";
    switch (relation->rd_rel->relkind) {
        case RELKIND_RELATION:
        case RELKIND_PARTITIONED_TABLE: break;
        case RELKIND_VIEW: refuse("a view", "Watch the tables that it reads, or that its INSTEAD OF triggers write to."); break;
        case RELKIND_MATVIEW: refuse("a materialized view", "Watch the tables that it reads."); break;
        case RELKIND_FOREIGN_TABLE:
            refuse("a foreign table", "Changes made on the other server fire no trigger here: watch it there.");
            break;
        default: refuse("no table", kTables);
    }
    if (relation->rd_rel->relpersistence == RELPERSISTENCE_TEMP) refuse("a temporary table", kTables);
    if (pg::call([&] { return IsCatalogRelation(relation); }) || schema == "information_schema") refuse("a system catalog", kTables);
    if (schema == "pulse" || schema == "_pulse") refuse("a table of pulse itself", "Watch the application's own tables.");
}

// True when text is one expression, so that nothing can hide behind it.
bool is_expression(const std::string &in_parentheses) {
    return pg::call([&] {
        List *parsed = raw_parser(in_parentheses.c_str(), RAW_PARSE_PLPGSQL_EXPR);
        const SelectStmt *select = castNode(SelectStmt, linitial_node(RawStmt, parsed)->stmt);
        return list_length(parsed) == 1 && list_length(select->targetList) == 1 &&
               linitial_node(ResTarget, select->targetList)->name == nullptr && select->distinctClause == NIL &&
               select->fromClause == NIL && select->whereClause == nullptr && select->groupClause == NIL &&
               select->havingClause == nullptr && select->windowClause == NIL && select->sortClause == NIL &&
               select->limitCount == nullptr && select->limitOffset == nullptr && select->lockingClause == NIL && select->op == SETOP_NONE;
    });
}

std::string quoted(const std::string &identifier) {
    return pg::call([&] { return quote_identifier(identifier.c_str()); });
}

// OLD.x IS DISTINCT FROM NEW.x; by its text when the type has no equality of its own in every search_path.
std::string changed(Relation relation, const std::string &column) {
    const TupleDesc desc = RelationGetDescr(relation);
    for (int i = 0; i < desc->natts; ++i) {
        const Form_pg_attribute attribute = TupleDescAttr(desc, i);
        if (attribute->attisdropped || column != NameStr(attribute->attname)) continue;
        const bool plain = pg::call([&] {
            const TypeCacheEntry *type = lookup_type_cache(attribute->atttypid, TYPECACHE_EQ_OPR);
            return OidIsValid(type->eq_opr) && type->eq_opr < FirstNormalObjectId;
        });
        const std::string as_text = plain ? "" : "::pg_catalog.text";
        const std::string name = quoted(column);
        return "OLD." + name + as_text + " IS DISTINCT FROM NEW." + name + as_text;
    }
    pg::fail(ERRCODE_UNDEFINED_COLUMN, "columns: table " + relation_name(relation) + " has no column \"" + excerpt(column) + "\"", {},
             columns_hint(relation));
}

std::string when_clause(FunctionCallInfo fcinfo, Relation relation, const std::vector<std::string> &columns) {
    std::string when;
    for (const auto &column : columns) when += (when.empty() ? "" : " OR ") + changed(relation, column);
    if (!pg::arg_is_null(fcinfo, kCondition)) {
        // The line break ends a comment that the condition may end in.
        const std::string condition = "(" + pg::to_string(pg::arg(fcinfo, kCondition)) + "\n)";
        if (!is_expression(condition))
            pg::fail(ERRCODE_SYNTAX_ERROR, "condition is not one boolean expression", {},
                     "A condition reads like a trigger's WHEN, such as NEW.status = 'open'.");
        when = when.empty() ? condition : "(" + when + ") AND " + condition;
    }
    return when.empty() ? when : " WHEN (" + when + ")";
}

bool trigger_exists(Relation relation, const std::string &name) {
    return pg::call([&] { return OidIsValid(get_trigger_oid(RelationGetRelid(relation), name.c_str(), true)); });
}

std::string clipped(const std::string &text, size_t most) {
    return text.substr(
        0, static_cast<size_t>(pg::call([&] { return pg_mbcliplen(text.data(), static_cast<int>(text.size()), static_cast<int>(most)); })));
}

// <table>_<operations>_<event>, with a number when that is taken.
std::string free_name(Relation relation, unsigned operations, const std::string &event) {
    std::string name = RelationGetRelationName(relation);
    name += operations & kInsert ? "_insert" : "";
    name += operations & kUpdate ? "_update" : "";
    name += operations & kDelete ? "_delete" : "";
    name += '_';
    for (char c : event) name += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c & 0x80) != 0 ? c : '_';
    for (int n = 1;; ++n) {
        const std::string suffix = n == 1 ? "" : "_" + std::to_string(n);
        const std::string candidate = clipped(name, NAMEDATALEN - 1 - suffix.size()) + suffix;
        if (!trigger_exists(relation, candidate)) return candidate;
    }
}

std::string given_name(Relation relation, const std::string &name) {
    if (name.empty() || name.size() >= NAMEDATALEN)
        pg::fail(ERRCODE_INVALID_NAME, "trigger name \"" + excerpt(name) + "\" has " + std::to_string(name.size()) + " bytes", {},
                 "A trigger name has 1 to " + std::to_string(NAMEDATALEN - 1) + " bytes; leave it out to get one.");
    if (trigger_exists(relation, name))
        pg::fail(ERRCODE_DUPLICATE_OBJECT, "trigger \"" + name + "\" on " + relation_name(relation) + " already exists", {},
                 "Call pulse.unwatch('" + relation_name(relation) + "', '" + name + "') first, or give another name.");
    return name;
}

std::string create_statement(Relation relation, const std::string &name, unsigned operations, const std::string &when,
                             const WatchSpec &spec) {
    std::string events;
    for (const auto &[operation, word] : {std::pair{kInsert, "INSERT"}, {kUpdate, "UPDATE"}, {kDelete, "DELETE"}})
        if (operations & operation) events += std::string(events.empty() ? "" : " OR ") + word;
    std::string arguments;
    for (const auto &argument : to_arguments(spec))
        arguments +=
            (arguments.empty() ? "" : ", ") + std::string(pg::call([&]() -> const char * { return quote_literal_cstr(argument.c_str()); }));
    return "CREATE TRIGGER " + quoted(name) + " AFTER " + events + " ON " + relation_name(relation) + " FOR EACH ROW" + when +
           " EXECUTE FUNCTION pulse.publish_trigger(" + arguments + ")";
}

}  // namespace

}  // namespace pulse::publish

PULSE_FN(pulse_watch) {
    using namespace pulse;
    using namespace pulse::publish;
    if (pg::arg_is_null(fcinfo, kRelation)) required(fcinfo, kRelation, "relation");
    WatchSpec spec;
    spec.event = required(fcinfo, kEvent, "event");
    if (pg::arg_is_null(fcinfo, kRooms)) required(fcinfo, kRooms, "rooms");
    spec.rooms = name_list(fcinfo, kRooms, "rooms");
    unsigned operations = 0;
    require(parse_operations(required(fcinfo, kOperations, "operations"), operations));
    require(parse_on_error(required(fcinfo, kOnError, "on_error"), spec.warn));
    spec.payload = pg::optional_text(fcinfo, kPayload);
    spec.channel = pg::optional_text(fcinfo, kChannel);
    spec.partition_key = pg::optional_text(fcinfo, kPartitionKey);
    std::vector<std::string> columns;
    if (!pg::arg_is_null(fcinfo, kColumns)) {
        columns = name_list(fcinfo, kColumns, "columns");
        if (!(operations & kUpdate))
            pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, "columns are given, but update is not watched", {},
                     "Add update to operations, or leave columns out.");
    }

    Relation relation = open_table(DatumGetObjectId(pg::arg(fcinfo, kRelation)));
    check_kind(relation);
    // A WHEN clause may read OLD only when every operation has it. Else the trigger function compares.
    if (operations != kUpdate) spec.columns = std::exchange(columns, {});
    const Compiled checked(spec, relation, operations);
    const std::string when = when_clause(fcinfo, relation, columns);
    const std::string name = pg::arg_is_null(fcinfo, kName) ? free_name(relation, operations, spec.event)
                                                            : given_name(relation, pg::to_string(pg::arg(fcinfo, kName)));
    const std::string statement = create_statement(relation, name, operations, when, spec);
    pg::call([&] { relation_close(relation, NoLock); });
    {
        pg::SpiSession session;
        pg::call([&] {
            const int code = SPI_execute(statement.c_str(), false, 0);
            if (code != SPI_OK_UTILITY) elog(ERROR, "could not create the trigger: %s", SPI_result_code_string(code));
        });
    }
    return pg::text_datum(name);
}
