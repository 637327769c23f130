-- api/repeat.sql: a heatmap that is looked at comes again, also when nothing has changed.
BEGIN;
SELECT plan(16);

INSERT INTO campus.organizations (id, name) VALUES ('org1', 'One'), ('org2', 'Two');
CREATE FUNCTION pg_temp.look(organization text) RETURNS json LANGUAGE sql AS
    $$SELECT pulse.handle_request('GET', '/api/realtime/heatmap/stream', '{"query":{},"headers":{},"ip":"127.0.0.1","body":""}',
        json_build_object('claims', json_build_object('userId', 'ann', 'organizationId', organization, 'role', 'staff'), 'userId', 'ann', 'transport', 'sse'))$$;
CREATE FUNCTION pg_temp.jobs() RETURNS text LANGUAGE sql AS
    $$SELECT string_agg(format('%s in %s', j.args #>> '{args,organizationId}', round(extract(epoch FROM j.run_at - clock_timestamp()))), ', ' ORDER BY j.id)
        FROM _pulse.jobs j WHERE j.args ->> 'function' = 'campus.repeat_heatmap'$$;
CREATE FUNCTION pg_temp.told() RETURNS bigint LANGUAGE sql AS $$SELECT count(*) FROM pulse.events e WHERE e.name = 'heatmap:updated' AND e.rooms = '{heatmap:org1}'$$;

SELECT is(campus.repeat_heatmap('{"organizationId":"org1"}') ->> 'published', '0', 'C3: a heatmap that nobody looks at is told to nobody');
SELECT is(pg_temp.look('org1') ->> 'kind', 'stream', 'C3: the stream is opened');
SELECT is(pg_temp.jobs(), 'org1 in 30', 'C3: 30 s later it is told again');
SELECT pg_temp.look('org1');
SELECT is(pg_temp.jobs(), 'org1 in 30', 'C3: once, however many look');
SELECT is(campus.repeat_heatmap('{"organizationId":"org1"}') ->> 'published', '1', 'C3: the job tells it');
SELECT is(pg_temp.told(), 1::bigint, 'C3: to who looks at the heatmap');
SELECT is((SELECT payload::jsonb - 'generatedAt' FROM pulse.events WHERE name = 'heatmap:updated'), '{"organizationId":"org1","cells":[]}', 'C3: as it is');
SELECT is(pg_temp.jobs(), 'org1 in 30', 'C3: and again 30 s later');
SELECT pulse.configure('campus', 'heatmap_period', '5 s');
SELECT pg_temp.look('org1');
SELECT is(pg_temp.jobs(), 'org1 in 5', 'C3: a shorter heatmap_period counts for who looks now');
SELECT pulse.configure('campus', 'heatmap_period', '1 h');
SELECT pg_temp.look('org1'), pg_temp.look('org2');
SELECT is(pg_temp.jobs(), 'org1 in 5, org2 in 3600', 'C3: a longer one keeps nobody waiting who waits already');
DELETE FROM _pulse.jobs;
UPDATE _campus.repeats SET due_at = clock_timestamp() - interval '2 minutes';
SELECT pg_temp.look('org1');
SELECT is(pg_temp.jobs(), 'org1 in 3600', 'C3: a job that was lost is replaced');
UPDATE _campus.repeats SET watched_until = clock_timestamp();
SELECT is(campus.repeat_heatmap('{"organizationId":"org1"}') ->> 'published', '0', 'C3: a day after the last look it ends');
SELECT is((SELECT string_agg(r.organization_id, ' ') FROM _campus.repeats r), 'org2', 'C3: and nothing is left');
SELECT pulse.configure('campus', 'heatmap_period', '0');
SELECT is(campus.repeat_heatmap('{"organizationId":"org2"}') ->> 'published', '0', 'C3: 0 ends it');
SELECT pg_temp.look('org1');
SELECT is_empty('SELECT * FROM _campus.repeats', 'C3: and begins none');
SELECT is(pg_temp.told(), 1::bigint, 'C3: nothing was told but what was');

SELECT * FROM finish();
ROLLBACK;
