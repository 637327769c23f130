// A watch compiled against one table: templates parsed, columns resolved to attribute numbers, writers for their types. Made once
// a trigger and relation, kept until the relation or a cast changes. A user holds a shared_ptr, so that an invalidation in the
// middle of a row (a cast may run anything) takes nothing away.
#pragma once

#include "publish/value.hpp"
#include "publish/watch_spec.hpp"

namespace pulse::publish {

struct Source {  // of one placeholder
    RowOf row;
    AttrNumber attribute;
    size_t writer;
};

struct Compared {  // a column whose change matters
    AttrNumber attribute;
    FmgrInfo equal{};  // without a function: compared as bytes
    Oid collation;
    bool by_value;
    int16 length;
};

class Compiled {
public:
    // Raises, naming the column or placeholder and the accepted ones.
    Compiled(const WatchSpec &spec, Relation relation, unsigned operations);
    ~Compiled();
    Compiled(const Compiled &) = delete;
    Compiled &operator=(const Compiled &) = delete;

    std::string event;
    std::vector<TextTemplate> rooms;
    JsonNode payload;
    std::optional<std::string> channel;
    std::optional<TextTemplate> partition_key;
    std::vector<Source> sources;
    std::vector<TypeWriter> writers;
    std::vector<Compared> compared;

private:
    AttrNumber column(Relation relation, std::string_view name, const std::string &what) const;
    JsonNode whole_row(Relation relation, Placeholders &placeholders) const;
    MemoryContext memory_;
};

// Of the trigger that fires. Raises as above.
std::shared_ptr<Compiled> compiled(const TriggerData *trigger, const WatchSpec &spec);
// The one in the cache, or null.
std::shared_ptr<Compiled> find_compiled(const TriggerData *trigger);
void init_compiled();  // once a process, from _PG_init

std::string columns_hint(Relation relation);   // "Columns of public.t: id, name."
std::string relation_name(Relation relation);  // quoted where needed

}  // namespace pulse::publish
