-- Ephemeral events as far as one transaction can see them: what is accepted and refused, that nothing is stored, and samples. That and how
-- they arrive is in tests/e2e/ephemeral.test.mjs.
BEGIN;
SELECT plan(43);

CREATE FUNCTION pg_temp.failure(statement text, OUT code text, OUT message text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    code := 'it succeeded';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
END
$$;
CREATE FUNCTION pg_temp.refused(options text, code text, message text, hint text, what text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    v_failure record;
BEGIN
    SELECT * INTO v_failure FROM pg_temp.failure(format($f$SELECT pulse.publish('r', 'e', '1', %s)$f$, options));
    RETURN NEXT is(v_failure.code || ' ' || coalesce(v_failure.message, ''), code || ' ' || message, 'E3: refused: ' || what);
    RETURN NEXT ok(strpos(v_failure.hint, hint) > 0, 'with a hint: ' || coalesce(v_failure.hint, 'none'));
END
$$;

SELECT is(pulse.publish('r', 'typing', '{"a": 1}'::json, ephemeral => true), 0::bigint, 'E3: an ephemeral event has no id');
SELECT is(pulse.publish('r', 'typing', '{"a": 1}'::jsonb, ephemeral => true), 0::bigint, 'as jsonb');
SELECT is(pulse.publish('r', 'typing', '{"a": 1}', ephemeral => true), 0::bigint, 'as text');
SELECT is(pulse.publish(ARRAY['r', 's', 'r'], 'typing', '{"a": 1}'::json, ephemeral => true), 0::bigint, 'to several rooms');
SELECT is(pulse.publish(ARRAY['r', 's'], 'typing', '{"a": 1}'::jsonb, ephemeral => true), 0::bigint, 'to several rooms as jsonb');
SELECT is(pulse.publish(ARRAY['r', 's'], 'typing', '1', ephemeral => true), 0::bigint, 'to several rooms as text');
SELECT is(pulse.publish('r', 'moved', '1', headers => '{"traceparent":"x"}', except_session => 'abc', ephemeral => true, throttle => '1 second', throttle_key => 'ann'), 0::bigint,
    'S3: throttled, with headers and without a session');
SELECT is(pulse.publish('r', 'moved', '1', ephemeral => true, throttle => '1 hour'), 0::bigint, 'S3: throttled without a key, by the hour');
SELECT is(pulse.publish('r', 'moved', '1', ephemeral => true, throttle_key => 'ann'), 0::bigint, 'a key alone throttles nothing');
SELECT is(pulse.publish('r', 'moved', '1', ephemeral => true, throttle => NULL, throttle_key => NULL), 0::bigint, 'nor do nulls');
SELECT is(pulse.publish('r', 'e', to_json(repeat('x', 7880)), ephemeral => true), 0::bigint, 'the largest fits');
SELECT is((SELECT count(*) FROM pulse.events WHERE xid = pg_current_xact_id()), 0::bigint, 'E3: nothing is stored');
SELECT ok(pulse.publish('r', 'e', '1', ephemeral => false) > 0, 'ephemeral => false is an event as every other');
SELECT ok(pulse.publish('r', 'e', '1', ephemeral => NULL) > 0, 'so is null');
SELECT is((SELECT count(*) FROM pulse.events WHERE xid = pg_current_xact_id()), 2::bigint, 'these are stored');

SELECT pg_temp.refused($$throttle => '1 second'$$, '22023', 'only ephemeral events can be throttled', 'ephemeral => true', 'a throttle without ephemeral');
SELECT pg_temp.refused($$ephemeral => true, throttle => '0'$$, '22023', 'throttle is not an interval of up to an hour', 'interval ''1 second''', 'a throttle of nothing');
SELECT pg_temp.refused($$ephemeral => true, throttle => '-1 second'$$, '22023', 'throttle is not an interval of up to an hour', 'interval ''1 second''', 'a throttle below nothing');
SELECT pg_temp.refused($$ephemeral => true, throttle => '1 hour 1 second'$$, '22023', 'throttle is not an interval of up to an hour', 'interval ''1 second''', 'a throttle of more than an hour');
SELECT pg_temp.refused($$ephemeral => true, throttle => '1 month'$$, '22023', 'throttle is not an interval of up to an hour', 'interval ''1 second''', 'a throttle of a month');
SELECT pg_temp.refused($$ephemeral => true, throttle => '1 s', throttle_key => repeat('x', 256)$$, '22023', 'throttle_key "' || repeat('x', 60) || '…" is too long: 256 bytes', '255', 'a key of 256 bytes');
SELECT pg_temp.refused($$ephemeral => true, attachments => ARRAY['x'::bytea]$$, '22023', 'an ephemeral event has no attachments', 'without ephemeral', 'attachments');
SELECT pg_temp.refused($$ephemeral => true, partition_key => 'k'$$, '22023', 'an ephemeral event has no partition_key', 'without ephemeral', 'a partition key');
SELECT pg_temp.refused($$ephemeral => true, idempotency_key => 'k'$$, '22023', 'an ephemeral event has no idempotency_key', 'without ephemeral', 'an idempotency key');
SELECT is((pg_temp.failure($$SELECT pulse.publish('r', 'e', to_json(repeat('x', 7900)), ephemeral => true)$$)).code, '54000', 'one that fits into no notification is refused');
SELECT is((pg_temp.failure($$SELECT pulse.publish('', 'e', '1', ephemeral => true)$$)).code, '22023', 'rooms are checked as always');
SELECT is((pg_temp.failure($$SELECT pulse.publish('pulse:system', 'e', '1', ephemeral => true)$$)).code, '22023', 'the engine''s own rooms are refused');
SELECT is((pg_temp.failure($$DO 'BEGIN SET LOCAL transaction_read_only = on; PERFORM pulse.publish(''r'', ''e'', ''1'', ephemeral => true); END'$$)).code, '25006', 'a read-only transaction');

-- Samples
SELECT is(ARRAY(SELECT pulse.sampled('sample a ' || pg_backend_pid(), 10) FROM generate_series(1, 21)), ARRAY(SELECT n % 10 = 1 FROM generate_series(1, 21) n),
    'M3: the first, then one in ten');
SELECT is(ARRAY(SELECT pulse.sampled('sample b ' || pg_backend_pid(), 1) FROM generate_series(1, 3)), ARRAY[true, true, true], 'one in one is each');
SELECT is((pg_temp.failure($$SELECT pulse.sampled('k', 0)$$)).message, 'every is 0', 'one in none is refused');
SELECT is(pulse.sampled(NULL, 10), NULL, 'no key, no answer');
SET LOCAL ROLE pulse_client;
SELECT lives_ok($$SELECT pulse.sampled('sample c', 10)$$, 'handlers sample');
SELECT is((pg_temp.failure($$SELECT pulse.publish('r', 'e', '1', ephemeral => true)$$)).code, '42501', 'an ephemeral event takes the right to publish');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
