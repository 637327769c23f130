-- Jobs by the clock: what a schedule may say, its slots, that none is enqueued twice, overlap, backfill, whose it is. Time is an argument
-- of _pulse.run_schedules, so nothing here waits.
BEGIN;
SELECT plan(59);

CREATE SCHEMA shop;
\ir ../../support/error_of.sql
CREATE FUNCTION shop.report(args json) RETURNS json LANGUAGE sql RETURN NULL::json;
CREATE FUNCTION shop.wrong(args text) RETURNS text LANGUAGE sql RETURN NULL::text;
CREATE ROLE pulse_test_clock;
CREATE ROLE pulse_test_other;
GRANT pulse_publisher TO pulse_test_clock;
GRANT USAGE ON SCHEMA shop TO pulse_test_clock, pulse_test_other;
GRANT pulse_publisher TO pulse_test_other;
SET LOCAL timezone = 'UTC';
-- The next run of everything is at a time of ours.
CREATE FUNCTION shop.due(name text, at timestamptz) RETURNS void LANGUAGE sql AS $$
    UPDATE _pulse.schedules s SET next_slot = due.at, anchor = due.at WHERE s.name = due.name $$;
CREATE FUNCTION shop.jobs(queue text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(to_char(j.run_at, 'HH24:MI:SS'), ' ' ORDER BY j.run_at) FROM _pulse.jobs j WHERE j.queue = jobs.queue $$;
CREATE FUNCTION shop.finish(queue text) RETURNS void LANGUAGE sql AS $$ DELETE FROM _pulse.jobs j WHERE j.queue = finish.queue $$;

-- what is due when
SELECT is(pulse.next_slot('30 8 * * MON-FRI', 'UTC', '2026-11-21 12:00Z'), '2026-11-23 08:30Z'::timestamptz, 'E4: an expression of five fields');
SELECT is(pulse.next_slot('15 30 8 * * *', 'UTC', '2026-11-21 12:00Z'), '2026-11-22 08:30:15Z'::timestamptz, 'E4: a sixth is the second');
SELECT is(pulse.next_slot('0 8 * * *', 'Europe/Berlin', '2026-11-21 12:00Z'), '2026-11-22 07:00Z'::timestamptz, 'E4: in winter of a time zone');
SELECT is(pulse.next_slot('0 8 * * *', 'Europe/Berlin', '2026-07-01 12:00Z'), '2026-07-02 06:00Z'::timestamptz, 'E4: and in its summer');
SELECT is(pulse.next_slot('30 2 * * *', 'Europe/Berlin', '2026-03-28 12:00Z'), '2026-03-29 01:00Z'::timestamptz, 'E4: what the clock jumps over is due then');
SELECT is(pulse.next_slot('30 2 * * *', 'Europe/Berlin', '2026-10-25 00:30Z'), '2026-10-26 01:30Z'::timestamptz, 'E4: what comes twice is due once');
SELECT is(pulse.next_slot('30 2 * * *', 'America/New_York', '2026-11-01 00:00Z'), '2026-11-01 07:30Z'::timestamptz, 'E4: west of Greenwich too');
SELECT is(pulse.next_slot('@daily', 'Asia/Kolkata', '2026-11-21 12:00Z'), '2026-11-21 18:30Z'::timestamptz, 'E4: and where hours are not whole');
SELECT is(pulse.next_slot('0 0 30 2 *'), NULL, 'E4: never is null');
SELECT is(pulse.next_slot('0 8 * * *', 'UTC', '2026-11-21 08:00:00.5Z'), '2026-11-22 08:00Z'::timestamptz, 'E4: later than the moment');
SELECT is(pulse.next_slot('0 8 * * *', 'UTC', '2026-11-21 07:59:59.999Z'), '2026-11-21 08:00Z'::timestamptz, 'E4: and never skips one');
SELECT is(pulse.next_slot('0 8 * * *', 'UTC', '1969-12-30 08:00:00.5Z'), '1969-12-31 08:00Z'::timestamptz, 'E4: long ago too');
SELECT alike(shop.error_of($$SELECT pulse.next_slot('61 * * * *')$$), '22023 "61 * * * *" is no cron expression: "61" is no minute: 0 to 59%', 'a bad field is named');
SELECT alike(shop.error_of($$SELECT pulse.next_slot('* * * * *', 'Mars/Olympus')$$), '22023 "Mars/Olympus" is no time zone / Names are those of pg_timezone_names%', 'so is a bad zone');
SELECT alike(shop.error_of($$SELECT pulse.next_slot('* * * * *', 'UTC', 'infinity')$$), '22023 after is not finite%', 'infinity is no moment');

-- what is refused
CREATE FUNCTION shop.try(spec text, more text DEFAULT '') RETURNS text LANGUAGE sql AS $$
    SELECT shop.error_of(format('SELECT pulse.schedule(%L, %L, %L, %L, %L%s)', 'report', try.spec, 'reports', 'sql', '{"function":"shop.report"}', try.more)) $$;
SELECT alike(shop.try('whenever'), '22023 "whenever" is no cron expression: it has 1 field:%', 'neither expression nor interval');
SELECT alike(shop.try('* 5 *'), '22023 "* 5 *" is no cron expression: it has 3 fields%', 'what only PostgreSQL takes for an interval');
SELECT alike(shop.try('100 ms'), '22023 "100 ms" is not between 1 second and 366 days%', 'an interval too short');
SELECT alike(shop.try('1 month'), '22023 "1 month" is not between 1 second and 366 days, without months%', 'or with months');
SELECT alike(shop.try('0 0 30 2 *'), '22023 "0 0 30 2 *" is never due%', 'a day that never comes');
SELECT alike(shop.try('@daily', $$, timezone => 'Nowhere/At all'$$), '22023 "Nowhere/At all" is no time zone%', 'no time zone');
SELECT alike(shop.try('@daily', $$, overlap => 'maybe'$$), '22023 unknown overlap "maybe" / Values: skip, queue, allow.', 'no overlap');
SELECT alike(shop.try('@daily', $$, backfill => '-1 s'$$), '22023 backfill is between 0 and 366 days%', 'no backfill');
SELECT alike(shop.try('@daily', $$, timezone => NULL$$), '22004 timezone is null%', 'no null');
SELECT alike(shop.error_of($$SELECT pulse.schedule('report', '@daily', 'reports', 'sql', '{"function":"shop.nothing"}')$$), '42883 function shop.nothing(json) does not exist%',
    'what pulse.enqueue would refuse is refused now');
SELECT alike(shop.error_of($$SELECT pulse.schedule('report', '@daily', 'reports', 'pigeon', '{}')$$), '22023 unknown kind of job "pigeon"%', 'an unknown kind likewise');
SELECT alike(shop.error_of($$SELECT pulse.schedule('', '@daily', 'reports', 'sql', '{"function":"shop.report"}')$$), '22023 name has 0 bytes%', 'a schedule has a name');
SELECT is((SELECT count(*) FROM _pulse.schedules), 0::bigint, 'nothing of it was stored');
SELECT is((SELECT count(*) FROM _pulse.jobs WHERE queue = 'reports'), 0::bigint, 'and no job');

-- slots
SELECT is(pulse.schedule('report', '*/10 * * * *', 'reports', 'sql', '{"function":"shop.report","args":{"a":1}}'),
          pulse.next_slot('*/10 * * * *', 'UTC', clock_timestamp()), 'E4: the first slot is returned');
SELECT shop.due('report', '2026-11-21 12:00Z');
SELECT is(_pulse.run_schedules('2026-11-21 11:59:59.9Z'), '2026-11-21 12:00Z'::timestamptz, 'E4: nothing before its time, and when to look again');
SELECT is(shop.jobs('reports'), NULL, 'so there is no job');
SELECT is(_pulse.run_schedules('2026-11-21 12:00:00.2Z'), '2026-11-21 12:10Z'::timestamptz, 'E4: at its time the next one is told');
SELECT is(shop.jobs('reports'), '12:00:00', 'E4: and the job is there');
SELECT is((SELECT args::text FROM _pulse.jobs WHERE queue = 'reports'),
          '{"function":"shop.report","args":{"_schedule":{"name":"report","slot":"2026-11-21T12:00:00.000Z","late":false},"a":1}}', 'which knows its slot');
SELECT is(_pulse.run_schedules('2026-11-21 12:00:00.2Z'), '2026-11-21 12:10Z'::timestamptz, 'E4: a slot is run once');
SELECT is(_pulse.run_schedules('2026-11-21 11:00Z'), '2026-11-21 12:10Z'::timestamptz, 'E4: also when the clock goes back');
SELECT is(shop.jobs('reports'), '12:00:00', 'E4: nothing came twice');
SELECT is((SELECT last_job_id FROM pulse.schedules WHERE name = 'report'), (SELECT id FROM _pulse.jobs WHERE queue = 'reports'), 'the view names the last job');

-- overlap
SELECT _pulse.run_schedules('2026-11-21 12:10Z');
SELECT is(shop.jobs('reports'), '12:00:00', 'E4: skip: while the last one waits there is no other');
SELECT shop.finish('reports');
SELECT _pulse.run_schedules('2026-11-21 12:20Z');
SELECT is(shop.jobs('reports'), '12:20:00', 'E4: and the one after it is');
SELECT pulse.schedule('report', '10 minutes', 'reports', 'sql', '{"function":"shop.report"}', overlap => 'queue');
SELECT shop.due('report', '2026-11-21 12:30Z');
SELECT _pulse.run_schedules('2026-11-21 12:30Z'), _pulse.run_schedules('2026-11-21 12:40Z');
SELECT is(shop.jobs('reports'), '12:20:00 12:30:00 12:40:00', 'E4: queue: they wait');
SELECT is((SELECT count(DISTINCT partition_key) FROM _pulse.jobs WHERE queue = 'reports'), 1::bigint, 'E4: one behind the other');
SELECT pulse.schedule('report', 'every 10 minutes', 'reports', 'sql', '{"function":"shop.report"}', overlap => 'allow');
SELECT shop.finish('reports'), shop.due('report', '2026-11-21 13:00Z');
SELECT _pulse.run_schedules('2026-11-21 13:00Z'), _pulse.run_schedules('2026-11-21 13:10Z');
SELECT is((SELECT count(*) FROM _pulse.jobs WHERE queue = 'reports' AND partition_key IS NULL), 2::bigint, 'E4: allow: side by side');

-- backfill
SELECT shop.finish('reports'), shop.due('report', '2026-11-21 14:00Z');
SELECT is(_pulse.run_schedules('2026-11-21 15:02Z'), '2026-11-21 15:10Z'::timestamptz, 'E4: after an hour without a server');
SELECT is(shop.jobs('reports'), '15:00:00', 'E4: what is older than backfill is left out');
SELECT pulse.schedule('report', '10 minutes', 'reports', 'sql', '{"function":"shop.report"}', overlap => 'allow', backfill => '1 hour');
SELECT shop.finish('reports'), shop.due('report', '2026-11-21 14:00Z');
SELECT _pulse.run_schedules('2026-11-21 15:02Z');
SELECT is(shop.jobs('reports'), '14:10:00 14:20:00 14:30:00 14:40:00 14:50:00 15:00:00', 'E4: the others are made up for, in order');
SELECT is((SELECT count(*) FROM _pulse.jobs WHERE queue = 'reports' AND args::text LIKE '%"late":true%'), 6::bigint, 'and know that they are late');
SELECT pulse.schedule('report', '10 minutes', 'reports', 'sql', '{"function":"shop.report"}', backfill => '1 hour');
SELECT shop.finish('reports'), shop.due('report', '2026-11-21 14:00Z');
SELECT _pulse.run_schedules('2026-11-21 15:02Z');
SELECT is(shop.jobs('reports'), '15:00:00', 'E4: with skip only the newest');
SELECT pulse.schedule('report', '1 second', 'reports', 'sql', '{"function":"shop.report"}', overlap => 'allow', backfill => '1 hour');
SELECT shop.finish('reports'), shop.due('report', '2026-11-21 14:00Z');
SELECT is(_pulse.run_schedules('2026-11-21 15:00Z'), '2026-11-21 14:16:40Z'::timestamptz, 'E4: a thousand at once, the rest in the next transaction');
SELECT is((SELECT count(*) FROM _pulse.jobs WHERE queue = 'reports'), 1000::bigint, 'each of them once');

-- whose it is
SET LOCAL ROLE pulse_test_clock;
SELECT lives_ok($$SELECT pulse.schedule('nightly', '@daily', 'nights', 'sql', '{"function":"shop.report"}')$$, 'a publisher may schedule');
SET LOCAL ROLE pulse_test_other;
SELECT alike(shop.error_of($$SELECT pulse.schedule('nightly', '@hourly', 'nights', 'sql', '{"function":"shop.report"}')$$), '42501 %', 'and nobody else change it');
SELECT alike(shop.error_of($$SELECT pulse.unschedule('nightly')$$), '42501 permission denied for schedule "nightly" / It belongs to role pulse_test_clock%', 'nor take it away');
RESET ROLE;
SELECT shop.due('nightly', '2026-11-21 00:00Z');
DO $$ BEGIN PERFORM _pulse.run_schedules('2026-11-21 00:00Z'); END $$;
SELECT is((SELECT role FROM _pulse.jobs WHERE queue = 'nights'), 'pulse_test_clock', 'E4: its jobs are its role''s');
REVOKE pulse_publisher FROM pulse_test_clock;
SELECT shop.finish('nights'), _pulse.run_schedules('2026-11-22 00:00Z');
SELECT alike((SELECT last_error FROM pulse.schedules WHERE name = 'nightly'), '42501: permission denied%', 'a role that may not any more is told in last_error');
SELECT is((SELECT next_slot FROM pulse.schedules WHERE name = 'nightly'), '2026-11-23 00:00Z'::timestamptz, 'and the schedule goes on');
SELECT ok(pulse.unschedule('nightly'), 'an admin takes it away');
SELECT ok(NOT pulse.unschedule('nightly'), 'once');

SELECT * FROM finish();
ROLLBACK;
