-- The routes of issues, and what streams and polls give, asked as the bridge asks.
BEGIN;
SELECT plan(71);

INSERT INTO campus.organizations (id, name) VALUES ('org1', 'One'), ('org2', 'Two');
INSERT INTO campus.campuses (id, organization_id, name) VALUES ('c1', 'org1', 'North'), ('c2', 'org2', 'Other');
INSERT INTO campus.buildings (id, campus_id, name, latitude, longitude) VALUES ('b1', 'c1', 'Library', 19.07, 72.87), ('b2', 'c2', 'Lab', NULL, NULL);
INSERT INTO campus.members (user_id, organization_id, role) VALUES ('mia', 'org1', 'viewer'), ('max', 'org1', 'member');

CREATE TEMPORARY TABLE who (name text PRIMARY KEY, claims json);
INSERT INTO who VALUES ('ann', '{"userId":"ann","organizationId":"org1","role":"staff"}'), ('vic', '{"userId":"vic","organizationId":"org1","role":"viewer"}'),
    ('nob', '{"userId":"nob","organizationId":"org1"}'), ('eve', '{"userId":"eve","organizationId":"org2","role":"admin"}'), ('mia', '{"userId":"mia"}'), ('max', '{"userId":"max"}');
CREATE FUNCTION pg_temp.ask(name text, method text, path text, body json DEFAULT NULL, query json DEFAULT '{}', headers jsonb DEFAULT '{}') RETURNS json LANGUAGE sql AS
    $$SELECT pulse.handle_request(method, path, json_build_object('query', query, 'ip', '127.0.0.1', 'body', coalesce(body::text, ''),
        'headers', headers || CASE WHEN body IS NULL THEN '{}' ELSE '{"content-type":"application/json"}' END::jsonb),
        json_build_object('claims', w.claims, 'userId', w.claims ->> 'userId', 'transport', 'http')) FROM (SELECT) one LEFT JOIN who w ON w.name = ask.name$$;
CREATE FUNCTION pg_temp.refused(name text, method text, path text, body json, state text, description text, query json DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_state text;
    v_hint text;
BEGIN
    PERFORM pg_temp.ask(name, method, path, body, query);
    RETURN fail(description);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_hint = PG_EXCEPTION_HINT;
    RETURN is(v_state || CASE WHEN v_hint = '' THEN ' (no hint)' ELSE '' END, state, description);
END
$$;
-- the path of an issue: what is asked is only known now
CREATE FUNCTION pg_temp.path(title text, rest text DEFAULT '') RETURNS text LANGUAGE sql AS $$SELECT '/api/issues/' || i.id || rest FROM campus.issues i WHERE i.title = path.title$$;

-- create
CREATE TEMPORARY TABLE a AS SELECT pg_temp.ask('ann', 'POST', '/api/issues', '{"campusId":"c1","buildingId":"b1","title":"Dark","severity":"high","latitude":19.08,"longitude":72.88,"unknown":1}') AS answer;
SELECT is((SELECT answer ->> 'status' FROM a), '201', 'C1: POST /api/issues is 201');
SELECT is((SELECT (answer -> 'body')::jsonb - '{id,issueId,createdAt,updatedAt}'::text[] FROM a), '{"organizationId":"org1","campusId":"c1","buildingId":"b1","title":"Dark","description":null,"category":null,
    "severity":"high","status":"open","reportedBy":"ann","assignedTo":null,"latitude":19.08,"longitude":72.88,"resolvedAt":null}', 'C1: with the issue');
SELECT is((SELECT i.id::text FROM campus.issues i), (SELECT answer -> 'body' ->> 'issueId' FROM a), 'C1: which is kept');
SELECT is((SELECT array_agg(e.name ORDER BY e.id) FROM pulse.events e), '{issue:created}'::text[], 'C1: and told');
SELECT is(pg_temp.ask('max', 'POST', '/api/issues', '{"campusId":"c1","title":"Wet","assignedTo":"sam"}') -> 'body' ->> 'status', 'assigned', 'C1: a member reports one that is assigned at once');
SELECT pg_temp.refused(NULL, 'POST', '/api/issues', '{"campusId":"c1","title":"x"}', 'PL401 (no hint)', 'C4: nobody without a token');
SELECT pg_temp.refused(name, 'POST', '/api/issues', '{"campusId":"c1","title":"x"}', 'PL403', format('C4: %s may not', name)) FROM unnest('{vic,nob,mia,eve}'::text[]) name;
SELECT pg_temp.refused('ann', 'POST', '/api/issues', '{"campusId":"c2","title":"x"}', 'PL403', 'C4: not for another organization');
SELECT pg_temp.refused('ann', 'POST', '/api/issues', body::json, 'PL422', format('C4: refused: %s', coalesce(body, 'nothing')))
  FROM unnest(ARRAY[NULL, '[]', '"text"', '{}', '{"campusId":"c1"}', '{"title":"x"}', '{"campusId":"none","title":"x"}', '{"campusId":"c1","title":" "}', '{"campusId":"c1","title":7}', '{"campusId":"c1","title":"x","severity":"bad"}',
      '{"campusId":"c1","title":"x","buildingId":"b2"}', '{"campusId":"c1","title":"x","latitude":1}', '{"campusId":"c1","title":"x","latitude":91,"longitude":1}', '{"campusId":"c1","title":"x","latitude":"1","longitude":1}']) body;

-- sent again
CREATE TEMPORARY TABLE twice AS SELECT n, pg_temp.ask(who, 'POST', '/api/issues', body::json, headers => headers::jsonb) AS answer FROM (VALUES
    (1, 'max', '{"campusId":"c1","title":"Lift","clientIssueId":"k1"}', '{}'), (2, 'max', '{"campusId":"c1","title":"Lift stuck","clientIssueId":"k1"}', '{}'),
    (3, 'ann', '{"campusId":"c1","title":"Lift too","clientIssueId":"k1"}', '{}'), (4, 'max', '{"campusId":"c1","title":"Door"}', '{"idempotency-key":"k2"}'),
    (5, 'max', '{"campusId":"c1","title":"Door"}', '{"idempotency-key":"k2"}'), (6, 'max', '{"campusId":"c1","title":"Door"}', '{}')) t (n, who, body, headers) ORDER BY n;
SELECT is((SELECT string_agg((answer ->> 'status') || ' ' || (answer -> 'body' ->> 'title'), ', ' ORDER BY n) FROM twice),
    '201 Lift, 200 Lift, 201 Lift too, 201 Door, 200 Door, 201 Door', 'C1: an issue that is sent again with its clientIssueId or Idempotency-Key is 200 and the one there is; another user''s is another one');
SELECT is((SELECT count(DISTINCT answer -> 'body' ->> 'id') FROM twice), 4::bigint, 'C1: each has its id');
SELECT is((SELECT count(*) FROM pulse.events e WHERE e.name = 'issue:created' AND e.payload ->> 'title' IN ('Lift', 'Lift stuck', 'Lift too', 'Door')), 4::bigint, 'C1: and is told once');
SELECT pg_temp.refused('max', 'POST', '/api/issues', '{"campusId":"c1","title":"x","clientIssueId":7}', 'PL422', 'C1: a clientIssueId is a text');
SELECT pg_temp.refused('max', 'POST', '/api/issues', json_build_object('campusId', 'c1', 'title', 'x', 'clientIssueId', repeat('x', 201)), 'PL422', 'C1: of up to 200 characters');
UPDATE campus.members SET role = 'viewer' WHERE user_id = 'max';
SELECT pg_temp.refused('max', 'POST', '/api/issues', '{"campusId":"c1","title":"Lift","clientIssueId":"k1"}', 'PL403', 'C4: who may not write any more is not given it again');
UPDATE campus.members SET role = 'member' WHERE user_id = 'max';
DELETE FROM campus.issues WHERE client_issue_id = 'k1' AND reported_by = 'max';
SELECT is(pg_temp.ask('max', 'POST', '/api/issues', '{"campusId":"c1","title":"Lift","clientIssueId":"k1"}') ->> 'status', '201', 'C1: one that was deleted can be reported again');
INSERT INTO campus.issues (campus_id, title, reported_by) VALUES ('c1', 'SQL', 'max'), ('c1', 'SQL', 'max');
SELECT is((SELECT count(*) FROM campus.issues WHERE title = 'SQL'), 2::bigint, 'C1: SQL need not say one');
SELECT throws_ok($$INSERT INTO campus.issues (campus_id, title, reported_by, client_issue_id) VALUES ('c1', 'SQL', 'max', 'k1')$$, '23505', NULL, 'C1: and cannot say one twice');
DELETE FROM campus.issues WHERE title IN ('Lift', 'Lift too', 'Door', 'SQL');

-- read
SELECT is(pg_temp.ask('vic', 'GET', pg_temp.path('Dark')) -> 'body' ->> 'title', 'Dark', 'C1: viewers read');
SELECT is(pg_temp.ask('mia', 'GET', pg_temp.path('Dark')) -> 'body' ->> 'issueId', (SELECT i.id::text FROM campus.issues i WHERE i.title = 'Dark'), 'C1: so do members');
SELECT pg_temp.refused('eve', 'GET', pg_temp.path('Dark'), NULL, 'PL403', 'C4: not those of another organization');
SELECT pg_temp.refused('ann', 'GET', '/api/issues/00000000-0000-4000-8000-0000000000ff', NULL, 'PL404', 'C4: no such issue');
SELECT pg_temp.refused('ann', 'GET', '/api/issues/x', NULL, 'PL404', 'C4: an id that is none');

-- change
SELECT is((pg_temp.ask('ann', 'PATCH', pg_temp.path('Dark'), '{"description":"all of it","severity":"low","buildingId":null,"latitude":null,"longitude":null}') -> 'body')::jsonb
    - '{id,issueId,createdAt,updatedAt,organizationId,campusId,reportedBy,category,resolvedAt,assignedTo}'::text[],
    '{"title":"Dark","description":"all of it","severity":"low","status":"open","buildingId":null,"latitude":null,"longitude":null}', 'C1: PATCH changes what it names, also to nothing');
SELECT is(pg_temp.ask('ann', 'PATCH', pg_temp.path('Dark'), '{"status":"in_progress"}') -> 'body' ->> 'status', 'in_progress', 'C1: a status');
SELECT pg_temp.refused(name, 'PATCH', pg_temp.path('Dark'), '{"title":"x"}', 'PL403', format('C4: %s does not change it', name)) FROM unnest('{vic,mia,eve}'::text[]) name;
SELECT pg_temp.refused('ann', 'PATCH', pg_temp.path('Dark'), body::json, 'PL422', format('C4: refused: %s', body)) FROM unnest(ARRAY['{}', '{"unknown":1}', '{"title":null}', '{"status":"lost"}', '{"severity":null}', '{"buildingId":"b2"}']) body;
SELECT is(pg_temp.ask('ann', 'POST', pg_temp.path('Dark', '/assign'), '{"assignedTo":"sam"}') -> 'body' ->> 'assignedTo', 'sam', 'C1: assign');
SELECT is((SELECT status FROM campus.issues WHERE title = 'Dark'), 'in_progress', 'C1: what is in progress stays so');
SELECT pg_temp.refused('ann', 'POST', pg_temp.path('Dark', '/assign'), '{}', 'PL422', 'C4: to somebody');
SELECT is(pg_temp.ask('ann', 'POST', pg_temp.path('Dark', '/resolve')) -> 'body' ->> 'status', 'resolved', 'C1: resolve');
SELECT is(pg_temp.ask('ann', 'POST', pg_temp.path('Dark', '/resolve')) ->> 'status', '200', 'C1: resolved again is no error');
SELECT is((SELECT count(*) FROM pulse.events e WHERE e.name = 'issue:resolved'), 1::bigint, 'C1: and no second event');
SELECT pg_temp.refused('vic', 'POST', pg_temp.path('Dark', '/resolve'), NULL, 'PL403', 'C4: viewers resolve nothing');
SELECT pg_temp.refused('vic', 'DELETE', pg_temp.path('Dark'), NULL, 'PL403', 'C4: nor delete');
CREATE TEMPORARY TABLE gone AS SELECT pg_temp.path('Dark') AS path;
SELECT is(pg_temp.ask('ann', 'DELETE', (SELECT path FROM gone)) ->> 'status', '204', 'C1: DELETE is 204');
SELECT pg_temp.refused('ann', 'GET', (SELECT path FROM gone), NULL, 'PL404', 'C1: and it is gone');

-- streams and polls
SELECT is((pg_temp.ask('vic', 'GET', '/api/realtime/stats', query => '{"organizationId":"org1"}') -> 'body')::jsonb - 'generatedAt',
    '{"organizationId":"org1","open":0,"assigned":1,"inProgress":0,"resolved":0,"total":1,"byBuilding":{}}', 'C3: statistics for who polls');
SELECT is((pg_temp.ask('vic', 'GET', '/api/realtime/heatmap') -> 'body')::jsonb - 'generatedAt', '{"organizationId":"org1","cells":[]}', 'C3: a heatmap, of the token''s organization');
SELECT is((SELECT (s -> 'rooms')::text || (s -> 'events') || (s -> 'first' -> 0 ->> 'event') || (s -> 'first' -> 0 -> 'data' ->> 'organizationId')
    FROM pg_temp.ask('vic', 'GET', '/api/realtime/heatmap/stream', query => '{"organizationId":"org1"}') s), '["heatmap:org1"]["heatmap:updated"]heatmap:updatedorg1', 'C3: the stream of heatmaps begins with the present one');
SELECT is((SELECT (s -> 'rooms')::text || (s -> 'events') || (s -> 'first' -> 0 -> 'data' ->> 'total') FROM pg_temp.ask('vic', 'GET', '/api/realtime/stats/stream') s), '["org:org1"]["stats:updated"]1', 'C3: that of statistics too');
SELECT is((SELECT (s -> 'rooms')::text || (s -> 'events') FROM pg_temp.ask('vic', 'GET', '/api/realtime/issues/stream', query => '{"campusId":"c1","buildingId":"b1"}') s),
    '["campus:c1","building:b1"]["issue:created","issue:updated","issue:resolved","issue:assigned","issue:deleted"]', 'C3: that of issues, of a campus and a building');
SELECT pg_temp.refused('eve', 'GET', path, NULL, 'PL403', format('C4: %s is for its own', path), query => '{"organizationId":"org1"}')
  FROM unnest('{/api/realtime/heatmap/stream,/api/realtime/issues/stream,/api/realtime/stats/stream,/api/realtime/stats,/api/realtime/heatmap}'::text[]) path;
SELECT pg_temp.refused(NULL, 'GET', '/api/realtime/heatmap/stream', NULL, 'PL401 (no hint)', 'C4: nobody without a token', query => '{"organizationId":"org1"}');

SELECT * FROM finish();
ROLLBACK;
