-- api/presence.sql: the job that takes vanished donors out of the search's indexes.
BEGIN;
SELECT plan(9);

CREATE FUNCTION pg_temp.waiting() RETURNS bigint LANGUAGE sql AS
    $$SELECT count(*) FROM _pulse.jobs j WHERE j.unique_key = 'donors.expire_presence' AND j.state IN ('available', 'scheduled', 'retryable')$$;
DELETE FROM _pulse.jobs;

INSERT INTO donors.presence (user_id, latitude, longitude, country_code, blood_group, updated_at) VALUES
    ('fresh', 19, 72, 'IN', 'O-', now() - interval '29 min'),
    ('old', 19, 72, 'IN', 'O-', now() - interval '30 min');
SELECT is(pg_temp.waiting(), 1::bigint, 'D5: somebody available: one job waits');
SELECT ok((SELECT run_at > now() AND run_at <= now() + interval '5 min' FROM _pulse.jobs), 'D5: within 5 min');
UPDATE donors.presence SET is_available = false WHERE user_id = 'fresh';
UPDATE donors.presence SET is_available = true WHERE user_id = 'fresh';
SELECT is(pg_temp.waiting(), 1::bigint, 'D5: once, however often somebody becomes available');

DELETE FROM _pulse.jobs;   -- the worker has taken it
SELECT is(donors.expire_presence('{}')::jsonb, '{"expired":1}', 'D5: the job ends one availability');
SELECT results_eq('SELECT user_id, is_available FROM donors.presence ORDER BY 1', $$VALUES ('fresh' COLLATE "C", true), ('old', false)$$, 'D5: of the donor not heard of for 30 min');
SELECT is(pg_temp.waiting(), 1::bigint, 'D5: it runs again while somebody is available');
DELETE FROM _pulse.jobs;
SELECT pulse.configure('donors', 'presence_ttl', '1 min');
SELECT is(donors.expire_presence('{}')::jsonb, '{"expired":1}', 'D5: the setting presence_ttl is effective at once');
SELECT is(pg_temp.waiting(), 0::bigint, 'D5: nobody available: it rests');
UPDATE donors.presence SET is_available = true, updated_at = now() WHERE user_id = 'fresh';
SELECT is(pg_temp.waiting(), 1::bigint, 'D5: until somebody is again');

SELECT * FROM finish();
ROLLBACK;
