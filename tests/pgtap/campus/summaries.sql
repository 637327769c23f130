-- Heatmap and statistics: what they say, and when they are published.
BEGIN;
SELECT plan(45);

INSERT INTO campus.organizations (id, name) VALUES ('org1', 'One'), ('org2', 'Two');
INSERT INTO campus.campuses (id, organization_id, name) VALUES ('c1', 'org1', 'North'), ('c2', 'org1', 'South');
INSERT INTO campus.buildings (id, campus_id, name, latitude, longitude) VALUES ('b1', 'c1', 'Library', 19.0700, 72.8700), ('b2', 'c2', 'Lab', 19.2, 72.9);
CREATE FUNCTION pg_temp.events() RETURNS TABLE (name text, rooms text[], payload json) LANGUAGE plpgsql AS $$
DECLARE
    v_seen bigint := coalesce(nullif(current_setting('t.seen', true), ''), '0')::bigint;
BEGIN
    RETURN QUERY SELECT e.name, e.rooms, e.payload FROM pulse.events e WHERE e.id > v_seen AND e.name ~ 'heatmap|stats' ORDER BY e.id;
    PERFORM set_config('t.seen', (SELECT max(e.id)::text FROM pulse.events e), true);
END
$$;
-- every job that waits, as the worker runs them; what each of them published
CREATE FUNCTION pg_temp.work() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_job record;
    v_done text := '';
BEGIN
    FOR v_job IN WITH taken AS (DELETE FROM _pulse.jobs j WHERE j.queue = 'campus' RETURNING j.id, j.args) SELECT * FROM taken ORDER BY id LOOP
        v_done := v_done || ' ' || (campus.refresh(v_job.args -> 'args') ->> 'published');
    END LOOP;
    RETURN btrim(v_done);
END
$$;
CREATE FUNCTION pg_temp.waiting() RETURNS bigint LANGUAGE sql AS $$SELECT count(*) FROM _pulse.jobs j WHERE j.queue = 'campus'$$;
CREATE FUNCTION pg_temp.later() RETURNS void LANGUAGE sql AS $$UPDATE _campus.refreshes SET at = at - interval '1 s'$$;

SELECT is(campus.stats('org1')::jsonb - 'generatedAt', '{"organizationId":"org1","open":0,"assigned":0,"inProgress":0,"resolved":0,"total":0,"byBuilding":{}}', 'C1: statistics of nothing');
SELECT is(campus.heatmap('org1')::jsonb - 'generatedAt', '{"organizationId":"org1","cells":[]}', 'C1: a heatmap of nothing');
SELECT ok(campus.stats('org1') ->> 'generatedAt' ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$', 'C1: with their time');

INSERT INTO campus.issues (building_id, title, reported_by, severity, status, latitude, longitude) VALUES
    ('b1', 'a', 'ann', 'low', 'open', NULL, NULL), ('b1', 'b', 'ann', 'critical', 'assigned', 19.0700, 72.8700), ('b1', 'c', 'ann', 'high', 'in_progress', 19.08, 72.87),
    ('b2', 'd', 'ann', 'medium', 'open', NULL, NULL), ('b2', 'e', 'ann', 'medium', 'resolved', NULL, NULL);
INSERT INTO campus.issues (campus_id, title, reported_by) VALUES ('c1', 'nowhere', 'ann');
SELECT is(campus.stats('org1')::jsonb - 'generatedAt', '{"organizationId":"org1","open":3,"assigned":1,"inProgress":1,"resolved":1,"total":6,"byBuilding":{"b1":3,"b2":2}}', 'C1: issues by status and building');
SELECT results_eq($$SELECT (c ->> 'count')::int, (c ->> 'weight')::int FROM json_array_elements(campus.heatmap('org1') -> 'cells') c ORDER BY 1 DESC, 2 DESC$$,
    'VALUES (2, 9), (1, 4), (1, 2)', 'C1: unresolved issues by cell, by their own position or the building''s; weight is severity');
SELECT results_eq($$SELECT (c ->> 'count')::int FROM json_array_elements(campus.heatmap('org1', 'c2') -> 'cells') c$$, 'VALUES (1)', 'C6: of one campus');
SELECT is(campus.heatmap('org1', 'c2') ->> 'campusId', 'c2', 'C6: which it names');
SELECT ok((SELECT bool_and(abs((c ->> 'latitude')::float8 - 19.07) < 0.0005 AND abs((c ->> 'longitude')::float8 - 72.87) < 0.0005)
    FROM json_array_elements(campus.heatmap('org1', 'c1') -> 'cells') c WHERE c ->> 'count' = '2'), 'C1: a cell says where its middle is');
SELECT is(_campus.cell_of(19.07001, 72.87001, 100), _campus.cell_of(19.07002, 72.87002, 100), 'C1: near is the same cell');
SELECT ok((SELECT bool_and(cell_row IS NOT NULL AND cell_column IS NOT NULL) FROM (SELECT * FROM _campus.cell_of(-90, -180, 100) UNION ALL SELECT * FROM _campus.cell_of(90, 180, 100)) c), 'C1: the poles are in cells');
SELECT pulse.configure('campus', 'heatmap_cell_m', '20000');
SELECT is(json_array_length(campus.heatmap('org1', 'c1') -> 'cells'), 1, 'C1: heatmap_cell_m counts at once');
SELECT pulse.configure('campus', 'heatmap_cell_m', NULL);

-- when
SELECT is(pg_temp.waiting(), 2::bigint, 'C1: each statement stores one job an organization');
SELECT is((SELECT max(j.run_at) FROM _pulse.jobs j WHERE j.queue = 'campus'), now(), 'C3: which runs at once');
SELECT is(pg_temp.work(), '4 0', 'C1: the first publishes, the other finds it at work');
SELECT results_eq('SELECT name, rooms, payload ->> ''campusId'' FROM pg_temp.events()', $$VALUES ('stats:updated', '{org:org1}'::text[], NULL), ('heatmap:updated', '{heatmap:org1,org:org1}'::text[], NULL),
    ('heatmap:updated', '{campus:c1}'::text[], 'c1'), ('heatmap:updated', '{campus:c2}'::text[], 'c2')$$, 'C1, C6: statistics to the organization, heatmaps to all who look at one');
SELECT ok((SELECT j.run_at BETWEEN r.at + interval '0.9 s' AND r.at + interval '1 s' FROM _pulse.jobs j, _campus.refreshes r WHERE j.queue = 'campus'), 'C3: the next comes a second later');
UPDATE campus.issues SET status = 'resolved' WHERE title = 'd';
SELECT is(pg_temp.waiting(), 1::bigint, 'C1: a change in between relies on it');
SELECT is(pg_temp.work(), '0', 'C3: one that comes too early');
SELECT is_empty('SELECT * FROM pg_temp.events()', 'C3: tells nothing');
SELECT is((SELECT j.run_at FROM _pulse.jobs j WHERE j.queue = 'campus'), (SELECT r.at + interval '1 s' FROM _campus.refreshes r), 'C3: and comes again');
SELECT pg_temp.later();
SELECT is(pg_temp.work(), '3', 'C3: the last change is never left out');
SELECT results_eq('SELECT name, rooms FROM pg_temp.events()', $$VALUES ('stats:updated', '{org:org1}'::text[]), ('heatmap:updated', '{heatmap:org1,org:org1}'), ('heatmap:updated', '{campus:c2}')$$, 'C6: the campus where it changed');
UPDATE campus.issues SET title = 'other words' WHERE title = 'a';
SELECT pg_temp.later();
SELECT is(pg_temp.work(), '0', 'C1: what changes no numbers is not told');
SELECT is((SELECT (armed, pg_temp.waiting())::text FROM _campus.refreshes), '(f,1)', 'C1: then nobody relies on it any more');
DELETE FROM campus.issues WHERE title = 'c';
SELECT is(pg_temp.waiting(), 2::bigint, 'C1: a change stores a job again');
SELECT pg_temp.later();
SELECT is(pg_temp.work(), '3 0', 'C1: of two jobs one publishes');
SELECT is((SELECT (armed, pg_temp.waiting())::text FROM _campus.refreshes), '(t,1)', 'C1: and goes on');
SELECT pg_temp.later();
SELECT is(pg_temp.work(), '0', 'C1: until nothing changes');
UPDATE _campus.refreshes SET boundary = '9000000000';
SELECT pg_temp.later();
SELECT is(pg_temp.work(), '0', 'C1: it waits for the transactions that may have relied on it');
SELECT is((SELECT (armed, pg_temp.waiting())::text FROM _campus.refreshes), '(f,1)', 'C1: as long as they take');
UPDATE _campus.refreshes SET boundary = '3';
SELECT pg_temp.later();
SELECT is(pg_temp.work(), '0', 'C1: when they have ended');
SELECT is(pg_temp.waiting(), 0::bigint, 'C1: it ends');

-- a chain that died
DELETE FROM campus.issues WHERE title = 'b';
SELECT pg_temp.later();
SELECT is(pg_temp.work(), '3', 'C1: a new one');
DELETE FROM _pulse.jobs;
UPDATE _campus.refreshes SET alive_until = clock_timestamp();
DELETE FROM campus.issues WHERE title = 'e';
SELECT pg_temp.later();
SELECT is(pg_temp.work(), '1', 'C1: one that was lost is replaced');
SELECT is(campus.refresh('{"organizationId":"org1","chain":1}') ->> 'published', '0', 'C1: and does nothing when it comes back');
SELECT pulse.configure('campus', 'heatmap_min_interval', '1 h');
SELECT is(pg_temp.work(), '0', 'C3: heatmap_min_interval');
SELECT is((SELECT j.run_at FROM _pulse.jobs j WHERE j.queue = 'campus'), (SELECT r.at + interval '1 h' FROM _campus.refreshes r), 'C3: counts at once');
-- what else changes them
CREATE FUNCTION pg_temp.asked() RETURNS text LANGUAGE sql AS $$
    WITH taken AS (DELETE FROM _pulse.jobs j WHERE j.queue = 'campus' RETURNING j.args #>> '{args,organizationId}' AS organization) SELECT string_agg(DISTINCT t.organization, ' ' ORDER BY t.organization) FROM taken t
$$;
UPDATE _campus.refreshes SET armed = false;
SELECT isnt(pg_temp.asked(), NULL, 'C1: the jobs so far');
UPDATE campus.buildings SET name = 'Old ' || name;
SELECT is(pg_temp.asked(), NULL, 'C1: a building''s name changes no heatmap');
UPDATE campus.buildings SET latitude = latitude + 1;
SELECT is(pg_temp.asked(), 'org1', 'C1: the place of a building does');
INSERT INTO campus.organizations (id, name) VALUES ('new', 'New');
INSERT INTO campus.issues (campus_id, title, reported_by) VALUES ('c2', 'moves along', 'ann');
SELECT is(pg_temp.asked(), 'org1', 'C1: an issue is one of its organization');
UPDATE campus.campuses SET organization_id = 'new' WHERE id = 'c2';
SELECT is(pg_temp.asked(), 'new org1', 'C1: a campus that is another organization''s changes the numbers of both');
TRUNCATE campus.issues;
SELECT is(pg_temp.asked(), 'org1', 'C1: and TRUNCATE those of everybody who was ever told');

DELETE FROM campus.organizations;
SELECT lives_ok('SELECT pg_temp.work()', 'C1: an organization that is gone has nothing to tell');
SELECT is_empty('SELECT * FROM _campus.refreshes', 'C1: and is forgotten');

SELECT * FROM finish();
ROLLBACK;
