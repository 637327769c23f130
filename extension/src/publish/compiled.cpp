// Compiling watches, and their cache.
#include "publish/compiled.hpp"

#include "rows/trigger_cache.hpp"

namespace pulse::publish {

namespace {

TriggerCache<Compiled> cache;

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

Compiled::Compiled(const WatchSpec &spec, Relation relation, unsigned operations) : event(spec.event), channel(spec.channel) {
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
    sources.emplace(placeholders, relation, operations, memory_.get());
    for (const auto &name : spec.columns) {
        Compared item{};
        item.attribute = column_of(relation, name, "columns");
        const Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation), item.attribute - 1);
        item.collation = attribute->attcollation;
        item.by_value = attribute->attbyval;
        item.length = attribute->attlen;
        pg::call([&] {
            const TypeCacheEntry *type = lookup_type_cache(attribute->atttypid, TYPECACHE_EQ_OPR | TYPECACHE_EQ_OPR_FINFO);
            if (OidIsValid(type->eq_opr) && type->eq_opr < FirstNormalObjectId)
                fmgr_info_cxt(type->eq_opr_finfo.fn_oid, &item.equal, memory_.get());
        });
        compared.push_back(item);
    }
}

static WatchSpec spec_of(const TriggerData *trigger) {
    WatchSpec spec;
    require(from_arguments(arguments_of(trigger), spec));
    return spec;
}

std::shared_ptr<Compiled> compiled(const TriggerData *trigger) {
    if (auto known = cache.find(trigger)) return known;
    auto made = std::make_shared<Compiled>(spec_of(trigger), trigger->tg_relation, kInsert | kUpdate | kDelete);
    cache.keep(trigger, made);
    return made;
}

}  // namespace pulse::publish
