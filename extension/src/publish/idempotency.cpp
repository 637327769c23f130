// The table of idempotency keys, read and written as the extension's owner. The dispatcher deletes the old ones.
#include "publish/idempotency.hpp"

#include "pg/run_as.hpp"
#include "pg/spi.hpp"

namespace pulse::publish {

std::optional<int64> claim_key(std::string_view key, int64 id, Relation events) {
    static pg::Plan take(
        "INSERT INTO _pulse.idempotency_keys (key, event_id, at) VALUES ($1, $2, clock_timestamp()) ON CONFLICT DO NOTHING");
    static pg::Plan find("SELECT event_id FROM _pulse.idempotency_keys WHERE key = $1");
    const pg::OwnerScope owner(events->rd_rel->relowner);
    pg::SpiSession session;
    const auto param = pg::param_text(key);
    for (;;) {
        if (take.run({param, pg::param_int8(id)}) == 1) return std::nullopt;
        // Gone again between the two statements when it was old enough to be forgotten: then it is ours.
        if (find.run({param}) == 1) return pg::result_row().int8(1);
    }
}

}  // namespace pulse::publish
