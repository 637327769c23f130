// The callbacks of all such caches.
#include "rows/trigger_cache.hpp"

namespace pulse::rows {

void TriggerCaches::on_relcache(Datum, Oid relation) {
    pg::callback("trigger cache", [&] {
        for (TriggerCaches *cache = first_; cache != nullptr; cache = cache->next_) cache->forget(relation);
    });
}

// A cast came or went: writers have looked theirs up.
void TriggerCaches::on_cast(Datum, int, uint32) { on_relcache(Datum(0), InvalidOid); }

void TriggerCaches::init() {
    CacheRegisterRelcacheCallback(on_relcache, Datum(0));
    CacheRegisterSyscacheCallback(CASTSOURCETARGET, on_cast, Datum(0));
}

}  // namespace pulse::rows
