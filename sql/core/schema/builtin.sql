-- What the engine itself registers.
SELECT pulse.policy('user:{userId}', 'join', 'pulse.is_own_user_room');
SELECT pulse.policy('user:{userId}', 'history', 'pulse.is_own_user_room');
SELECT pulse.define_setting('pulse', 'idempotency_keep', '24 hours', 'how long an idempotency key and the answer of a call are remembered');

-- A dropped pack takes its registrations with it: created again, it must not find old ones.
CREATE EVENT TRIGGER pulse_forget_dropped_packs ON sql_drop
    WHEN TAG IN ('DROP EXTENSION', 'DROP SCHEMA', 'DROP OWNED')
    EXECUTE FUNCTION _pulse.forget_dropped_packs();
