// Columns and their values.
#include "rows/sources.hpp"

#include "json/slice.hpp"
#include "rows/forms.hpp"

namespace pulse::rows {

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

AttrNumber column_of(Relation relation, std::string_view name, const std::string &what) {
    const TupleDesc desc = RelationGetDescr(relation);
    for (int i = 0; i < desc->natts; ++i)
        if (!TupleDescAttr(desc, i)->attisdropped && name == NameStr(TupleDescAttr(desc, i)->attname))
            return static_cast<AttrNumber>(i + 1);
    pg::fail(ERRCODE_UNDEFINED_COLUMN, what + ": table " + relation_name(relation) + " has no column \"" + excerpt(name) + "\"", {},
             columns_hint(relation));
}

JsonNode whole_row(Relation relation, Placeholders &placeholders) {
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

Sources::Sources(const Placeholders &placeholders, Relation relation, unsigned operations, MemoryContext memory) {
    std::unordered_map<Oid, size_t> writer_of;
    for (const Placeholder &placeholder : placeholders.all()) {
        const std::string what = "placeholder \"" + excerpt(placeholder.written()) + "\"";
        if (placeholder.row == RowOf::kOld && operations == kInsert)
            pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, what + ": an insert has no old row", {}, "Use {old.…} with update or delete.");
        if (placeholder.row == RowOf::kNew && operations == kDelete)
            pg::fail(ERRCODE_INVALID_PARAMETER_VALUE, what + ": a delete has no new row", {}, "Use {column} or {old.column} with delete.");
        const AttrNumber attribute = column_of(relation, placeholder.column, what);
        const Oid type = TupleDescAttr(RelationGetDescr(relation), attribute - 1)->atttypid;
        const auto [found, added] = writer_of.emplace(type, writers_.size());
        if (added) writers_.emplace_back(type, memory);
        sources_.push_back({placeholder.row, attribute, found->second});
    }
}

std::vector<Rendered> Sources::render(const FiredRows &rows) {
    std::vector<Rendered> values(sources_.size());
    for (size_t i = 0; i < values.size(); ++i) {
        const Source &source = sources_[i];
        const TupleTableSlot *row = rows.of(source.row);
        if (row == nullptr || row->tts_isnull[source.attribute - 1]) continue;
        values[i].null = false;
        values[i].string = writers_[source.writer].write(row->tts_values[source.attribute - 1], values[i].text);
    }
    return values;
}

}  // namespace pulse::rows
