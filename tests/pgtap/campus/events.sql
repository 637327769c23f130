-- Which change of which row is which event, in which rooms, with which payload; and that none of it ever costs an issue.
BEGIN;
SELECT plan(32);

CREATE FUNCTION pg_temp.events() RETURNS TABLE (name text, rooms text[], payload json, partition_key text) LANGUAGE plpgsql AS $$
DECLARE
    v_seen bigint := coalesce(nullif(current_setting('t.seen', true), ''), '0')::bigint;
BEGIN
    RETURN QUERY SELECT e.name, e.rooms, e.payload, e.partition_key FROM pulse.events e WHERE e.id > v_seen ORDER BY e.id;
    PERFORM set_config('t.seen', (SELECT max(e.id)::text FROM pulse.events e), true);
END
$$;
CREATE FUNCTION pg_temp.names() RETURNS text LANGUAGE sql AS $$SELECT string_agg(name, ' ') FROM pg_temp.events()$$;
CREATE TEMPORARY TABLE e (name text, rooms text[], payload json, partition_key text);

INSERT INTO campus.organizations (id, name) VALUES ('org1', 'One'), ('org2', 'Two');
INSERT INTO campus.campuses (id, organization_id, name) VALUES ('c:1', 'org1', 'North'), ('c2', 'org1', 'South');
INSERT INTO campus.buildings (id, campus_id, name, latitude, longitude) VALUES ('b1', 'c:1', 'Library', 19.07, 72.87), ('b2', 'c2', 'Lab', NULL, NULL);
SELECT is((SELECT organization_id FROM campus.buildings WHERE id = 'b1'), 'org1', 'C2: a building has the organization of its campus');
SELECT is_empty('SELECT * FROM pg_temp.events()', 'C1: places are no events');

INSERT INTO campus.issues (id, building_id, title, reported_by, severity, updated_at)
VALUES ('00000000-0000-4000-8000-000000000001', 'b1', 'No "light"', 'ann', 'high', '2026-01-02 03:04:05.678+00');
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT results_eq('SELECT name, rooms, partition_key FROM e', $$VALUES ('issue:created', '{org:org1,campus:c%3A1,building:b1}'::text[], '00000000-0000-4000-8000-000000000001')$$,
    'C1, C2: an insert is issue:created in the rooms of organization, campus and building');
SELECT is((SELECT payload::text FROM e), '{"issueId":"00000000-0000-4000-8000-000000000001","organizationId":"org1","campusId":"c:1","buildingId":"b1","title":"No \"light\"","status":"open","severity":"high","updatedAt":"2026-01-02T03:04:05.678Z"}', 'C1: its payload');
TRUNCATE e;
INSERT INTO campus.issues (campus_id, title, reported_by) VALUES ('c2', 'Lawn', 'ann');
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT results_eq($$SELECT rooms, payload ->> 'buildingId' FROM e$$, $$VALUES ('{org:org1,campus:c2}'::text[], NULL)$$, 'C2: an issue of no building');
TRUNCATE e;

-- one UPDATE, one event
CREATE FUNCTION pg_temp.update(changes text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('UPDATE campus.issues SET %s WHERE building_id = ''b1''', changes);
    RETURN pg_temp.names();
END
$$;
SELECT is(pg_temp.update($$title = 'Dark'$$), 'issue:updated', 'C1: an update is issue:updated');
SELECT is(pg_temp.update($$title = 'Dark'$$), NULL, 'C1: one that changes nothing is no event');
SELECT is(pg_temp.update($$assigned_to = 'sam', status = 'assigned', title = 'Very dark'$$), 'issue:assigned', 'C1: assigned comes before updated');
SELECT is(pg_temp.update($$status = 'in_progress'$$), 'issue:updated', 'C1: progress is an update');
SELECT is(pg_temp.update($$assigned_to = NULL$$), 'issue:updated', 'C1: so is taking it from somebody');
SELECT is(pg_temp.update($$status = 'resolved', assigned_to = 'tim', title = 'Light'$$), 'issue:resolved', 'C1: resolved comes before assigned');
SELECT is((SELECT resolved_at FROM campus.issues WHERE building_id = 'b1'), now(), 'C1: resolved_at is kept');
SELECT is(pg_temp.update($$assigned_to = 'uma'$$), 'issue:assigned', 'C1: a resolved one may be assigned');
SELECT is(pg_temp.update($$status = 'open'$$), 'issue:updated', 'C1: and opened again');
SELECT is((SELECT resolved_at FROM campus.issues WHERE building_id = 'b1'), NULL, 'C1: then it is not resolved');
UPDATE campus.issues SET status = 'resolved', resolved_at = '2026-01-02 05:00+00', updated_at = '2026-01-02 05:00:01+00' WHERE building_id = 'b1';
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT is((SELECT payload::jsonb FROM e), '{"issueId":"00000000-0000-4000-8000-000000000001","organizationId":"org1","campusId":"c:1","buildingId":"b1","title":"Light","status":"resolved","severity":"high","assignedTo":"uma","resolvedAt":"2026-01-02T05:00:00.000Z","updatedAt":"2026-01-02T05:00:01.000Z"}', 'C1: the payload of a resolved one');
TRUNCATE e;
UPDATE campus.issues SET campus_id = 'c2', building_id = 'b2' WHERE building_id = 'b1';
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT results_eq('SELECT name, rooms FROM e', $$VALUES ('issue:updated', '{org:org1,campus:c2,building:b2,campus:c%3A1,building:b1}'::text[])$$, 'C2: where it was before hears of a move too');
TRUNCATE e;
DELETE FROM campus.issues WHERE building_id = 'b2';
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT results_eq('SELECT name, rooms, payload::text FROM e', $$VALUES ('issue:deleted', '{org:org1,campus:c2,building:b2}'::text[],
    '{"issueId":"00000000-0000-4000-8000-000000000001","organizationId":"org1","campusId":"c2","buildingId":"b2"}')$$, 'C1: a delete is issue:deleted');
TRUNCATE e;

-- maintenance
INSERT INTO campus.maintenance_alerts (id, building_id, title, message, starts_at) VALUES ('00000000-0000-4000-8000-00000000000a', 'b1', 'Water', 'Off today', '2026-01-02 03:04:05+00');
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT results_eq('SELECT name, rooms FROM e', $$VALUES ('maintenance:alert', '{building:b1,campus:c%3A1,org:org1}'::text[])$$, 'C6: maintenance is told in the rooms of the building, its campus and organization');
SELECT is((SELECT payload::jsonb FROM e), '{"alertId":"00000000-0000-4000-8000-00000000000a","buildingId":"b1","title":"Water","message":"Off today","startsAt":"2026-01-02T03:04:05.000Z"}', 'C6: its payload');
SELECT throws_ok($$INSERT INTO campus.maintenance_alerts (building_id, title, message) VALUES ('none', 'x', 'y')$$, '23503', 'building none does not exist', 'C6: a building exists');
SELECT throws_ok($$INSERT INTO campus.issues (campus_id, title, reported_by) VALUES ('none', 'x', 'y')$$, '23503', 'campus none does not exist', 'C1: a campus exists');
SELECT throws_ok($$INSERT INTO campus.issues (organization_id, campus_id, title, reported_by) VALUES ('org2', 'c2', 'x', 'y')$$, '23503', NULL, 'C1: and belongs to the organization');

-- membership ends
TRUNCATE e;
INSERT INTO campus.members (user_id, organization_id) VALUES ('ann', 'org1');
DELETE FROM campus.members;
INSERT INTO e SELECT * FROM pg_temp.events();
SELECT is((SELECT array_agg(payload ->> 'room' ORDER BY payload ->> 'room' COLLATE "C") FROM e WHERE name = 'pulse:evict' AND payload ->> 'userId' = 'ann'),
    '{building:b1,building:b2,campus:c%3A1,campus:c2,heatmap:org1,org:org1}'::text[], 'C2: who is no longer a member leaves all rooms of the organization');

-- a campus that moves takes everything along
UPDATE campus.campuses SET organization_id = 'org2' WHERE id = 'c2';
SELECT is((SELECT organization_id FROM campus.issues) || ' ' || (SELECT organization_id FROM campus.buildings WHERE id = 'b2'), 'org2 org2', 'C2: buildings and issues follow a campus to another organization');

-- what a restore loads
SELECT count(*) FROM pg_temp.events();
DELETE FROM _pulse.jobs;
SET LOCAL row_security = off;
INSERT INTO campus.issues (campus_id, title, reported_by) VALUES ('c2', 'Old', 'ann');
SELECT is_empty('SELECT * FROM pg_temp.events()', 'rows that a restore loads are no events');
SELECT is_empty('SELECT * FROM _pulse.jobs', 'and ask for no heatmap');
SET LOCAL row_security = on;

-- C5: with the realtime side broken the issue lives
SET LOCAL client_min_messages = error;
DO $$BEGIN EXECUTE format('ALTER SEQUENCE _pulse.event_id MAXVALUE %s', (SELECT last_value FROM _pulse.event_id)); END$$;
ALTER TABLE _pulse.jobs RENAME TO gone;
SELECT throws_ok($$SELECT pulse.publish('a', 'b', '1')$$, '2200H', NULL, 'C5: nothing can be published');
SELECT lives_ok($$INSERT INTO campus.issues (id, campus_id, title, reported_by) VALUES ('00000000-0000-4000-8000-000000000002', 'c2', 'Lives', 'ann')$$, 'C5: an issue is created');
SELECT lives_ok($$UPDATE campus.issues SET status = 'resolved' WHERE title = 'Lives'$$, 'C5: resolved');
SELECT is((SELECT status FROM campus.issues WHERE title = 'Lives'), 'resolved', 'C5: really');
SELECT lives_ok($$DELETE FROM campus.issues WHERE title = 'Lives'; INSERT INTO campus.maintenance_alerts (building_id, title, message) VALUES ('b1', 'Water', 'Off')$$, 'C5: deleted; an alert lives too');

SELECT * FROM finish();
ROLLBACK;
