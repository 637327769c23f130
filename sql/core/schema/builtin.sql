-- What the engine itself registers.
SELECT pulse.policy('user:{userId}', 'join', 'pulse.is_own_user_room');
SELECT pulse.define_setting('pulse', 'idempotency_keep', '24 hours', 'how long an idempotency key is remembered');
