-- Who may be in which room, and the event subscribe.
BEGIN;
SELECT plan(33);

INSERT INTO campus.organizations (id, name) VALUES ('org1', 'One'), ('org2', 'Two');
INSERT INTO campus.campuses (id, organization_id, name) VALUES ('c1', 'org1', 'North'), ('c2', 'org2', 'Other');
INSERT INTO campus.buildings (id, campus_id, name) VALUES ('b1', 'c1', 'Library'), ('b2', 'c2', 'Lab');
INSERT INTO campus.members (user_id, organization_id, role) VALUES ('mia', 'org1', 'viewer');

CREATE FUNCTION pg_temp.context(user_id text, claims json) RETURNS json LANGUAGE sql AS
    $$SELECT json_build_object('claims', claims, 'userId', user_id, 'sessionId', 's1', 'socketId', 'k1', 'namespace', '/')$$;
CREATE FUNCTION pg_temp.may(user_id text, claims json, room text, operation text DEFAULT 'join') RETURNS boolean LANGUAGE sql AS
    $$SELECT d.allowed FROM pulse.decide(json_build_array(json_build_object('operation', operation, 'room', room, 'context', pg_temp.context(user_id, claims)))) d$$;
CREATE FUNCTION pg_temp.emit(user_id text, claims json, args json) RETURNS TABLE (ack json, effects json) LANGUAGE sql AS
    $$SELECT h.ack, h.effects FROM pulse.handle('/', 'subscribe', args, pg_temp.context(user_id, claims)) h$$;
CREATE FUNCTION pg_temp.refused(user_id text, claims json, args json, state text, message text, description text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_state text;
    v_message text;
    v_hint text;
BEGIN
    PERFORM pg_temp.emit(user_id, claims, args);
    RETURN fail(description);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT, v_hint = PG_EXCEPTION_HINT;
    RETURN is(v_state || ' ' || v_message || CASE WHEN v_hint = '' THEN ' (no hint)' ELSE '' END, state || ' ' || message, description);
END
$$;

SELECT ok((SELECT bool_and(pg_temp.may('ann', '{"organizationId":"org1","role":"staff"}', room)) FROM unnest('{org:org1,heatmap:org1,campus:c1,building:b1}'::text[]) room),
    'C2: the token''s organization, its campuses, buildings and heatmap');
SELECT ok((SELECT bool_and(pg_temp.may('ann', '{"organizationId":"org1","role":"staff"}', room, 'history')) FROM unnest('{org:org1,heatmap:org1,campus:c1,building:b1}'::text[]) room),
    'C3: and what was missed there');
SELECT ok((SELECT bool_and(NOT pg_temp.may('ann', '{"organizationId":"org1","role":"admin"}', room)) FROM unnest('{org:org2,heatmap:org2,campus:c2,building:b2}'::text[]) room), 'C2: not those of another');
SELECT ok((SELECT bool_and(pg_temp.may('mia', '{}', room)) FROM unnest('{org:org1,heatmap:org1,campus:c1,building:b1}'::text[]) room), 'C2: members need no claim');
SELECT ok(pg_temp.may('mia', '{"organizationId":"org2"}', 'org:org1') AND pg_temp.may('mia', '{"organizationId":"org2"}', 'org:org2'), 'C2: and may belong to several');
SELECT ok((SELECT bool_and(NOT pg_temp.may('eve', '{}', room)) FROM unnest('{org:org1,heatmap:org1,campus:c1,building:b1}'::text[]) room), 'C2: others may not');
SELECT ok(NOT pg_temp.may(NULL, '{"organizationId":"org1"}', 'org:org1'), 'C2: nor nobody');
SELECT ok(NOT pg_temp.may('ann', '{"organizationId":"org1"}', 'campus:none') AND NOT pg_temp.may('ann', '{"organizationId":"org1"}', 'building:none'), 'C2: nor what does not exist');
SELECT ok(NOT pg_temp.may('ann', '{"organizationId":"org1"}', 'org:org1', 'publish'), 'C2: nobody publishes but the database');

SELECT is((SELECT ack::jsonb FROM pg_temp.emit('ann', '{"organizationId":"org1"}', '[{"organizationId":"org1"}]')), '[{"ok":true,"rooms":["org:org1"]}]', 'C2: subscribe to an organization');
SELECT is((SELECT effects::jsonb FROM pg_temp.emit('ann', '{"organizationId":"org1"}', '[{"campusId":"c1","buildingId":"b1","heatmap":"org1"}]')),
    '[{"join":"campus:c1"},{"join":"building:b1"},{"join":"heatmap:org1"}]', 'C2: to several rooms at once');
SELECT is((SELECT effects::jsonb FROM pg_temp.emit('ann', '{"organizationId":"org1"}', '[{}]')), '[{"join":"org:org1"}]', 'C2: to the token''s organization when nothing is named');
SELECT pg_temp.refused('ann', '{"organizationId":"org1"}', '[{"organizationId":"org2"}]', 'PL403', 'not your organization', 'C2: a wrong organization is refused');
SELECT pg_temp.refused('ann', '{"organizationId":"org1"}', '[{"campusId":"c2"}]', 'PL403', 'not your organization', 'C2: a wrong campus');
SELECT pg_temp.refused('ann', '{"organizationId":"org1"}', '[{"buildingId":"b2"}]', 'PL403', 'not your organization', 'C2: a wrong building');
SELECT pg_temp.refused('ann', '{"organizationId":"org1"}', '[{"heatmap":"org2"}]', 'PL403', 'not your organization', 'C2: a wrong heatmap');
SELECT pg_temp.refused('ann', '{"organizationId":"org1"}', '[{"campusId":"c1","buildingId":"b2"}]', 'PL403', 'not your organization', 'C2: one wrong is all wrong');
SELECT pg_temp.refused('ann', '{"organizationId":"org1"}', '[{"campusId":"none"}]', 'PL404', 'there is no campus none', 'C2: no such campus');
SELECT pg_temp.refused('ann', '{"organizationId":"org1"}', '[{"buildingId":"none"}]', 'PL404', 'there is no building none', 'C2: no such building');
SELECT pg_temp.refused('ann', '{"organizationId":"org1"}', '[{"campusId":7}]', 'PL422', 'campusId must be an id', 'C2: an id is a text');
SELECT pg_temp.refused('ann', '{"organizationId":"org1"}', '["org1"]', 'PL422', 'what is sent must be a JSON object', 'C2: the argument is an object');
SELECT pg_temp.refused('mia', '{}', '[{}]', 'PL422', 'an organization is needed', 'C2: nothing named, and no claim');
SELECT pg_temp.refused(NULL, '{"organizationId":"org1"}', '[{"organizationId":"org1"}]', 'PL401', 'this needs a user', 'C2: nobody');
DELETE FROM campus.members;
SELECT ok(NOT pg_temp.may('mia', '{}', 'org:org1'), 'C2: who was a member may not come back');

-- rights that end
CREATE FUNCTION pg_temp.evicted() RETURNS text LANGUAGE sql AS $$
    WITH gone AS (DELETE FROM pulse.events e WHERE e.name = 'pulse:evict' RETURNING e.payload)
    SELECT string_agg(concat_ws(' ', g.payload ->> 'room', g.payload ->> 'userId', '(' || (g.payload ->> 'reason') || ')'), ', ' ORDER BY g.payload ->> 'room', g.payload ->> 'userId') FROM gone g
$$;
SELECT pg_temp.evicted();
INSERT INTO campus.members (user_id, organization_id) VALUES ('tim', 'org1'), ('tom', 'org1');
UPDATE campus.members SET user_id = 'ted' WHERE user_id = 'tim';
SELECT is(pg_temp.evicted(), 'building:b1 tim (no longer a member), campus:c1 tim (no longer a member), heatmap:org1 tim (no longer a member), org:org1 tim (no longer a member)',
    'C2: whose membership becomes somebody else''s leaves the rooms');
SAVEPOINT before;
TRUNCATE campus.members;
SELECT is(pg_temp.evicted(), 'building:b1 ted (no longer a member), building:b1 tom (no longer a member), campus:c1 ted (no longer a member), campus:c1 tom (no longer a member), heatmap:org1 ted (no longer a member), '
    'heatmap:org1 tom (no longer a member), org:org1 ted (no longer a member), org:org1 tom (no longer a member)', 'C2: nor does anybody stay after TRUNCATE');
ROLLBACK TO before;
UPDATE campus.members SET role = 'staff' WHERE user_id = 'tom';
UPDATE campus.buildings SET name = 'Old library' WHERE id = 'b1';
SELECT is(pg_temp.evicted(), NULL, 'C2: other changes put nobody out');
UPDATE campus.campuses SET organization_id = 'org2' WHERE id = 'c1';
SELECT is(pg_temp.evicted(), 'building:b1 (changed), campus:c1 (changed)', 'C2: nobody of the organization before stays with a campus that is another''s');
UPDATE campus.buildings SET id = 'b3' WHERE id = 'b1';
SELECT is(pg_temp.evicted(), 'building:b1 (changed)', 'C2: nor in the room of an id that is free');
DELETE FROM campus.buildings WHERE id = 'b3';
SELECT is(pg_temp.evicted(), 'building:b3 (deleted)', 'C2: nor of a building that is gone');
SAVEPOINT before;
TRUNCATE campus.campuses CASCADE;
SELECT is(pg_temp.evicted(), 'building:b2 (deleted), campus:c1 (deleted), campus:c2 (deleted)', 'C2: nor after TRUNCATE');
ROLLBACK TO before;
DELETE FROM campus.organizations WHERE id = 'org1';
SELECT is(pg_temp.evicted(), 'heatmap:org1 (deleted), org:org1 (deleted)', 'C2: an organization''s rooms are emptied once, and not once more a member');

SELECT throws_ok('INSERT INTO campus.organizations (id, name) VALUES (repeat('':'', 100), ''x'')', '23514', NULL, 'C2: an id whose room would have too long a name is refused');

SELECT * FROM finish();
ROLLBACK;
