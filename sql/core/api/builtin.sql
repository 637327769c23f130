-- What the engine itself registers. Registering again replaces, so an update runs this too.
SELECT pulse.policy('user:{userId}', 'join', 'pulse.is_own_user_room');
SELECT pulse.policy('user:{userId}', 'history', 'pulse.is_own_user_room');
SELECT pulse.define_setting('pulse', 'idempotency_keep', '24 hours', 'how long an idempotency key and the answer of a call are remembered', 'interval', '0', '10 years');
SELECT pulse.define_setting('pulse', 'recovery_window', '2 minutes', 'how long a session can be continued after its connection was lost', 'interval', '0', '10 years');
SELECT pulse.define_setting('pulse', 'presence_grace', '10 seconds', 'how long somebody whose connections ended is still present', 'interval', '0', '10 years');
