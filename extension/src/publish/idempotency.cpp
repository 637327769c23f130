// The table of idempotency keys, read and written as the extension's owner.
#include "publish/idempotency.hpp"

#include "pg/run_as.hpp"
#include "pg/spi.hpp"

namespace pulse::publish {

namespace {

// Old keys are forgotten by those who bring new ones: some at every 64th event with a key. A failure to do so is no reason to fail.
void forget_old_keys() {
    static pg::Plan forget("DELETE FROM _pulse.idempotency_keys WHERE ctid = ANY (ARRAY(SELECT ctid FROM _pulse.idempotency_keys"
                           " WHERE at < clock_timestamp() - pulse.setting('pulse', 'idempotency_keep')::interval ORDER BY at LIMIT 256 FOR "
                           "UPDATE SKIP LOCKED))");
    const auto error = pg::subtransaction([] {
        pg::SpiSession session;
        forget.run();
    });
    if (error) pg::log_swallowed("old idempotency keys", *error);
}

}  // namespace

std::optional<int64> claim_key(std::string_view key, int64 id, Relation events) {
    static pg::Plan take(
        "INSERT INTO _pulse.idempotency_keys (key, event_id, at) VALUES ($1, $2, clock_timestamp()) ON CONFLICT DO NOTHING");
    static pg::Plan find("SELECT event_id FROM _pulse.idempotency_keys WHERE key = $1");
    const pg::OwnerScope owner(events->rd_rel->relowner);
    if (id % 64 == 0) forget_old_keys();
    pg::SpiSession session;
    const auto param = pg::param_text(key);
    for (;;) {
        if (take.run({param, pg::param_int8(id)}) == 1) return std::nullopt;
        // Gone again between the two statements when it was old enough to be forgotten: then it is ours.
        if (find.run({param}) == 1) return pg::result_row().int8(1);
    }
}

}  // namespace pulse::publish
