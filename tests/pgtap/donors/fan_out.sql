-- api/fan_out.sql: the job that an insert leaves behind, and what it tells whom.
BEGIN;
SELECT plan(19);

INSERT INTO donors.presence (user_id, is_available, latitude, longitude, country_code, blood_group, updated_at) VALUES
    ('near', true, 19.0860, 72.8777, 'IN', 'O-', now()),
    ('a:b', true, 19.0960, 72.8777, 'IN', 'O-', now()),
    ('incompatible', true, 19.0860, 72.8777, 'IN', 'AB+', now()),
    ('far', true, 18.5204, 73.8567, 'IN', 'O-', now()),
    ('unavailable', false, 19.0860, 72.8777, 'IN', 'O-', now()),
    ('expired', true, 19.0860, 72.8777, 'IN', 'O-', now() - interval '31 min'),
    ('requester', true, 19.0760, 72.8777, 'IN', 'O-', now());

CREATE FUNCTION pg_temp.jobs() RETURNS TABLE (queue text, args json) LANGUAGE sql AS
    $$SELECT j.queue, j.args FROM _pulse.jobs j WHERE j.args ->> 'function' = 'donors.fan_out'$$;
CREATE FUNCTION pg_temp.told() RETURNS SETOF pulse.events LANGUAGE sql AS
    $$SELECT * FROM pulse.events e WHERE e.name = 'emergency:nearby' AND e.xid = pg_current_xact_id() ORDER BY e.id$$;

INSERT INTO donors.blood_requests (id, requester_id, blood_group, urgency, latitude, longitude, country_code)
VALUES ('00000000-0000-4000-8000-00000000000a', 'requester', 'A-', 'critical', 19.0760, 72.8777, 'IN');
SELECT results_eq($$SELECT queue, args ->> 'function', args #>> '{args,requestId}' FROM pg_temp.jobs()$$,
    $$VALUES ('donors', 'donors.fan_out', '00000000-0000-4000-8000-00000000000a')$$, 'D7: an insert leaves one job');
SELECT is_empty('SELECT * FROM pg_temp.told()', 'D7: the insert itself tells nobody nearby');

SELECT is((SELECT donors.fan_out(args -> 'args')::jsonb FROM pg_temp.jobs()), '{"nearby":2,"queued":0}', 'D7: the job tells the two');
SELECT results_eq('SELECT rooms FROM pg_temp.told()', $$VALUES (ARRAY['user:near']), (ARRAY['user:a%3Ab'])$$,
    'D7: nearest first, in their own rooms; not the requester, nor those incompatible, far, unavailable or expired');
SELECT is((SELECT payload::jsonb - 'distanceKm' FROM pg_temp.told() LIMIT 1), (SELECT donors.emergency_json(r)::jsonb FROM donors.blood_requests r),
    'D7: emergency:nearby is emergency:created …');
SELECT results_eq($$SELECT (payload ->> 'distanceKm')::numeric FROM pg_temp.told()$$, $$VALUES (1.107), (2.214)$$, 'D7: … and distanceKm');
SELECT is((SELECT partition_key FROM pg_temp.told() LIMIT 1), '00000000-0000-4000-8000-00000000000a', 'D7: in the request''s partition');
SELECT is((SELECT donors.fan_out(args -> 'args')::jsonb FROM pg_temp.jobs()), '{"nearby":0}', 'D7: the job again …');
SELECT is((SELECT count(*) FROM pg_temp.told()), 2::bigint, 'D7: … tells nobody twice');

-- a job that fails half-way leaves nothing behind, so its next attempt tells everybody
INSERT INTO donors.blood_requests (id, requester_id, blood_group, latitude, longitude, country_code)
VALUES ('00000000-0000-4000-8000-00000000000b', 'r', 'A-', 19.0760, 72.8777, 'IN');
SAVEPOINT attempt;
SELECT donors.fan_out('{"requestId":"00000000-0000-4000-8000-00000000000b"}');
ROLLBACK TO attempt;
SELECT is(donors.fan_out('{"requestId":"00000000-0000-4000-8000-00000000000b"}')::jsonb, '{"nearby":3,"queued":0}', 'D7: the attempt after a failed one tells all');

-- what alerts nobody
INSERT INTO donors.blood_requests (id, requester_id, blood_group, latitude, longitude, country_code)
VALUES ('00000000-0000-4000-8000-00000000000c', 'r', 'A-', 19.0760, 72.8777, 'IN');
UPDATE donors.blood_requests SET status = 'cancelled' WHERE id = '00000000-0000-4000-8000-00000000000c';
SELECT is(donors.fan_out('{"requestId":"00000000-0000-4000-8000-00000000000c"}')::jsonb, '{"nearby":0}', 'D7: a request cancelled meanwhile tells nobody');
SELECT is(donors.fan_out('{"requestId":"00000000-0000-4000-8000-0000000000ff"}')::jsonb, '{"nearby":0}', 'D7: a request deleted meanwhile tells nobody');
SELECT is(donors.fan_out('{}')::jsonb, '{"nearby":0}', 'D7: nor does no request');
SELECT is((SELECT count(*) FROM pg_temp.jobs()), 3::bigint, 'D7: a job a request');
INSERT INTO donors.blood_requests (requester_id, blood_group, latitude, longitude, country_code, status) VALUES ('r', 'A-', 19, 72, 'IN', 'fulfilled');
SELECT is((SELECT count(*) FROM pg_temp.jobs()), 3::bigint, 'D7: none for a request that is not open');
SET LOCAL row_security = off;
INSERT INTO donors.blood_requests (requester_id, blood_group, latitude, longitude, country_code) VALUES ('r', 'A-', 19, 72, 'IN');
SET LOCAL row_security = on;
SELECT is((SELECT count(*) FROM pg_temp.jobs()), 3::bigint, 'D7: none for a row that pg_restore loads');

-- somebody who may only insert
CREATE ROLE donors_test_app;
GRANT INSERT ON donors.blood_requests TO donors_test_app;
SET LOCAL ROLE donors_test_app;
SELECT lives_ok($$INSERT INTO donors.blood_requests (requester_id, blood_group, urgency, latitude, longitude, country_code) VALUES ('r', 'A-', 'high', 19, 72, 'IN')$$,
    'D1: the right to INSERT is all that a request needs');
SELECT throws_ok($$SELECT * FROM donors.nearby(19, 72, 25, 'O-')$$, '42501', NULL, 'D6: it does not show where donors are');
RESET ROLE;
SELECT is((SELECT count(*) FROM pg_temp.jobs()), 4::bigint, 'D7: and it alerts');

SELECT * FROM finish();
ROLLBACK;
