-- Dispatching as far as one transaction can see it. What needs commits is in tests/isolation and tests/fault.
BEGIN;
SELECT plan(14);

SELECT is((SELECT array_agg(inhrelid::regclass::text ORDER BY inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = parent::regclass),
          ARRAY[format('_pulse.%s_0', short), format('_pulse.%s_1', short), format('_pulse.%s_2', short)],
          format('%s has a partition for each of the three slots', parent))
  FROM (VALUES ('pulse.events', 'events'), ('pulse.deliveries', 'deliveries'), ('pulse.ticks', 'ticks')) AS t (parent, short);
SELECT results_eq(
    $$ SELECT first_position, last_position, done_id, cardinality(ids), pg_snapshot_xmin(before) = pg_snapshot_xmax(before), before::text = upto::text
         FROM pulse.ticks ORDER BY last_position LIMIT 1 $$,
    $$ VALUES (1::bigint, 0::bigint, NULL::bigint, 0, true, true) $$,
    'the first tick has no position, and its P is the transaction that created the extension');
SELECT is((SELECT upto::text FROM pulse.ticks ORDER BY last_position LIMIT 1),
          (SELECT format('%1$s:%1$s:', e.xmin) FROM pg_extension e WHERE e.extname = 'pulse'),
          'E1: an event published by the transaction of CREATE EXTENSION is dispatched too');

SELECT throws_ok('SELECT _pulse.tick()', '25001', NULL, 'a tick is refused in a transaction that has written');
SELECT volatility_is('_pulse', 'tick', 'volatile', '_pulse.tick() is volatile');
SELECT is(has_function_privilege('pulse_bridge', '_pulse.tick()', 'EXECUTE'), false, 'a bridge cannot tick');
SELECT is(has_function_privilege('pulse_publisher', '_pulse.tick()', 'EXECUTE'), false, 'a publisher cannot tick');

SELECT is(pulse.position(), NULL, 'there is no position before the first dispatcher has run');
INSERT INTO _pulse.epochs (epoch, channel, after_position) VALUES ('00112233aabbccdd', 'pulse_x', 0);
SELECT is(pulse.position(), '00112233aabbccdd:0', 'the position is epoch:position');
INSERT INTO pulse.ticks (first_position, last_position, slot, at, before, upto, xids, ids) SELECT 1, 41, 0, now(), upto, upto, '{}', '{}' FROM pulse.ticks;
INSERT INTO pulse.ticks (first_position, last_position, slot, at, before, upto, xids, ids) SELECT 42, 42, 2, now(), upto, upto, '{}', '{}' FROM pulse.ticks LIMIT 1;
SELECT is(pulse.position(), '00112233aabbccdd:42', 'it is the highest of all slots');
INSERT INTO _pulse.epochs (epoch, channel, after_position) VALUES ('ffffffff00000000', 'pulse_y', 42);
SELECT is(pulse.position(), 'ffffffff00000000:42', 'a new epoch goes on where the one before ended');
CREATE ROLE somebody;
SET LOCAL ROLE somebody;
SELECT is(pulse.position(), 'ffffffff00000000:42', 'everybody can read it');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
