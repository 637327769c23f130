// Compiling watches, and their cache.
#include "publish/compiled.hpp"

#include "json/slice.hpp"
#include "publish/forms.hpp"

namespace pulse::publish {

namespace {

struct CacheEntry {
    Oid relation;
    std::shared_ptr<Compiled> compiled;
};
using Cache = std::unordered_map<Oid, CacheEntry>;  // by trigger

Cache &cache() {
    static auto *instance = new Cache;  // never destroyed: hooks may run until the process ends
    return *instance;
}

void on_relcache(Datum, Oid relation) {
    pg::callback("trigger cache", [&] {
        if (OidIsValid(relation))
            std::erase_if(cache(), [&](const auto &item) { return item.second.relation == relation; });
        else
            cache().clear();
    });
}

// A cast came or went: writers have looked theirs up.
void on_cast(Datum, int, uint32) {
    pg::callback("trigger cache", [] { cache().clear(); });
}

void require(const std::optional<Problem> &problem) {
    if (problem) pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, problem->message, {}, problem->hint);
}

// What is wrong whatever the row holds is found at once.
template <class Check>
void check_literals(const TextTemplate &text, Check &&check) {
    std::string literals;
    bool values = false;
    for (const Part &part : text) {
        literals += part.literal;
        values = values || part.ref >= 0;
    }
    if (!literals.empty() || !values) require(check(literals));
}

}  // namespace

void init_compiled() {
    CacheRegisterRelcacheCallback(on_relcache, Datum(0));
    CacheRegisterSyscacheCallback(CASTSOURCETARGET, on_cast, Datum(0));
}

std::string relation_name(Relation relation) {
    return pg::call([&]() -> const char * {
        return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)), RelationGetRelationName(relation));
    });
}

std::string columns_hint(Relation relation) {
    std::string hint = "Columns of " + relation_name(relation) + ": ";
    const TupleDesc desc = RelationGetDescr(relation);
    bool first = true;
    for (int i = 0; i < desc->natts; ++i) {
        if (TupleDescAttr(desc, i)->attisdropped) continue;
        if (!first) hint += ", ";
        first = false;
        hint += NameStr(TupleDescAttr(desc, i)->attname);
    }
    return hint + ".";
}

AttrNumber Compiled::column(Relation relation, std::string_view name, const std::string &what) const {
    const TupleDesc desc = RelationGetDescr(relation);
    for (int i = 0; i < desc->natts; ++i)
        if (!TupleDescAttr(desc, i)->attisdropped && name == NameStr(TupleDescAttr(desc, i)->attname))
            return static_cast<AttrNumber>(i + 1);
    pg::fail(ERRCODE_UNDEFINED_COLUMN, what + ": table " + relation_name(relation) + " has no column \"" + excerpt(name) + "\"", {},
             columns_hint(relation));
}

// Every column by its camelCase name; two that would get the same one keep their own names.
JsonNode Compiled::whole_row(Relation relation, Placeholders &placeholders) const {
    const TupleDesc desc = RelationGetDescr(relation);
    std::unordered_map<std::string, int> uses;
    for (int i = 0; i < desc->natts; ++i)
        if (!TupleDescAttr(desc, i)->attisdropped) ++uses[camel_case(NameStr(TupleDescAttr(desc, i)->attname))];
    JsonNode row;
    row.kind = JsonNode::Kind::kObject;
    for (int i = 0; i < desc->natts; ++i) {
        if (TupleDescAttr(desc, i)->attisdropped) continue;
        const std::string name = NameStr(TupleDescAttr(desc, i)->attname);
        const std::string key = camel_case(name);
        Member member;
        json::append_quoted(member.key, uses[key] > 1 ? name : key);
        member.value.kind = JsonNode::Kind::kValue;
        member.value.ref = placeholders.add({RowOf::kCurrent, name});
        row.members.push_back(std::move(member));
    }
    return row;
}

Compiled::Compiled(const WatchSpec &spec, Relation relation, unsigned operations)
    : event(spec.event), channel(spec.channel), memory_(nullptr) {
    require(check_event_name(event));
    if (channel) require(check_channel(*channel));
    Placeholders placeholders;
    for (const auto &room : spec.rooms) {
        rooms.emplace_back();
        require(parse_text(room, placeholders, rooms.back()));
        check_literals(rooms.back(), check_room);
    }
    if (spec.partition_key) {
        partition_key.emplace();
        require(parse_text(*spec.partition_key, placeholders, *partition_key));
        check_literals(*partition_key, [](std::string_view text) { return check_name("partition_key", text); });
    }
    if (spec.payload)
        require(parse_payload(*spec.payload, placeholders, payload));
    else
        payload = whole_row(relation, placeholders);

    // From here on a failure must give the memory back: the destructor of a half-made object does not run.
    const MemoryContext memory = pg::call([] { return AllocSetContextCreate(CacheMemoryContext, "pulse watch", ALLOCSET_SMALL_SIZES); });
    std::unique_ptr<MemoryContextData, void (*)(MemoryContext)> guard(memory, [](MemoryContext context) { MemoryContextDelete(context); });
    std::unordered_map<Oid, size_t> writer_of;
    for (const Placeholder &placeholder : placeholders.all()) {
        const std::string what = "placeholder \"" + excerpt(placeholder.written()) + "\"";
        if (placeholder.row == RowOf::kOld && operations == kInsert)
            pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, what + ": an insert has no old row", {}, "Use {old.…} with update or delete.");
        if (placeholder.row == RowOf::kNew && operations == kDelete)
            pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, what + ": a delete has no new row", {}, "Use {column} or {old.column} with delete.");
        const AttrNumber attribute = column(relation, placeholder.column, what);
        const Oid type = TupleDescAttr(RelationGetDescr(relation), attribute - 1)->atttypid;
        const auto [found, added] = writer_of.emplace(type, writers.size());
        if (added) writers.emplace_back(type, memory);
        sources.push_back({placeholder.row, attribute, found->second});
    }
    for (const auto &name : spec.columns) {
        Compared item{};
        item.attribute = column(relation, name, "columns");
        const Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation), item.attribute - 1);
        item.collation = attribute->attcollation;
        item.by_value = attribute->attbyval;
        item.length = attribute->attlen;
        pg::call([&] {
            const TypeCacheEntry *type = lookup_type_cache(attribute->atttypid, TYPECACHE_EQ_OPR | TYPECACHE_EQ_OPR_FINFO);
            if (OidIsValid(type->eq_opr) && type->eq_opr < FirstNormalObjectId)
                fmgr_info_cxt(type->eq_opr_finfo.fn_oid, &item.equal, memory);
        });
        compared.push_back(item);
    }
    guard.release();
    memory_ = memory;
}

Compiled::~Compiled() {
    if (memory_ != nullptr) MemoryContextDelete(memory_);
}

std::shared_ptr<Compiled> find_compiled(const TriggerData *trigger) {
    const auto found = cache().find(trigger->tg_trigger->tgoid);
    if (found == cache().end() || found->second.relation != RelationGetRelid(trigger->tg_relation)) return nullptr;
    return found->second.compiled;
}

std::shared_ptr<Compiled> compiled(const TriggerData *trigger, const WatchSpec &spec) {
    auto made = std::make_shared<Compiled>(spec, trigger->tg_relation, kInsert | kUpdate | kDelete);
    cache()[trigger->tg_trigger->tgoid] = {RelationGetRelid(trigger->tg_relation), made};
    return made;
}

}  // namespace pulse::publish
