// A watch compiled against one table: templates parsed, columns resolved, writers for their types. Made once a trigger and relation.
#pragma once

#include "pg/memory.hpp"
#include "publish/watch_spec.hpp"
#include "rows/sources.hpp"

namespace pulse::publish {

struct Compared {  // a column whose change matters
    AttrNumber attribute;
    FmgrInfo equal{};  // without a function: compared as bytes
    Oid collation;
    bool by_value;
    int16 length;
};

class Compiled {
    pg::OwnedMemory memory_{CacheMemoryContext, "pulse watch"};

public:
    // Raises, naming the column or placeholder and the accepted ones.
    Compiled(const WatchSpec &spec, Relation relation, unsigned operations);

    std::string event;
    std::vector<TextTemplate> rooms;
    JsonNode payload;
    std::optional<std::string> channel;
    std::optional<TextTemplate> partition_key;
    std::optional<Sources> sources;
    std::vector<Compared> compared;
};

// Of the trigger that fires: from the cache, or made. Raises as above.
std::shared_ptr<Compiled> compiled(const TriggerData *trigger);

}  // namespace pulse::publish
