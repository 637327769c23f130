-- Retention as far as one transaction can see it. Rotations are in tests/isolation, time and restarts in tests/fault.
BEGIN;
SELECT plan(14);

SELECT results_eq('SELECT slot::int, floor, emptied::int FROM _pulse.rotations ORDER BY number LIMIT 1', 'VALUES (0, 1::bigint, NULL::int)',
                  'the log begins in slot 0, and everything may be read');
SELECT is(_pulse.current_slot()::int, (SELECT r.slot::int FROM _pulse.rotations r ORDER BY r.number DESC LIMIT 1), 'the current slot is the one that was recorded last');
SELECT is(_pulse.floor(), (SELECT r.floor FROM _pulse.rotations r ORDER BY r.number DESC LIMIT 1), 'the floor too');
SELECT lives_ok(format('SELECT _pulse.check_floor(%s)', _pulse.floor() - 1), 'what comes after the position before the floor may be read');
SELECT lives_ok('SELECT _pulse.check_floor(9000000000000000000)', 'so may what comes after the last position there can be');
SELECT is(format('%s %s', (SELECT s.slot_ends FROM pulse.ticks s WHERE s.last_position = 0 AND s.slot = 0), (SELECT count(*) FROM _pulse.consumers)), '{0,0,0} 0',
          'no slot has an event at first, and nobody holds anything back');

SELECT is(current_setting('pulse.retention')::interval, '24 hours'::interval, 'events can be read for a day');
SELECT is(current_setting('pulse.max_retention')::interval, '7 days'::interval, 'a consumer can hold them for a week');
SELECT is(current_setting('pulse.housekeeping_interval')::interval, '10 seconds'::interval, 'the dispatcher looks every ten seconds');
SELECT throws_ok('SELECT _pulse.rotate()', '25001', NULL, 'a rotation is refused in a subtransaction');
CREATE TABLE written (n int);
SELECT throws_ok('SELECT _pulse.rotate()', '25001', NULL, 'and in a transaction that has written');
SELECT is(has_function_privilege(role, '_pulse.rotate()', 'EXECUTE'), false, role || ' cannot rotate') FROM unnest(ARRAY['pulse_bridge', 'pulse_publisher', 'pulse_admin']) AS role;

SELECT * FROM finish();
ROLLBACK;
