-- api/rooms.sql: who joins what at connect, and who may join which room, asked the way the bridge asks.
BEGIN;
SELECT plan(20);

INSERT INTO donors.donors (user_id, blood_group, country_code) VALUES ('d1', 'O-', 'IN'), ('d2', 'A+', 'DE');
INSERT INTO donors.presence (user_id, latitude, longitude, updated_at) VALUES ('d1', 19, 72, now()), ('d2', 52, 13, now() - interval '31 min');
INSERT INTO donors.blood_requests (id, requester_id, blood_group, latitude, longitude, country_code)
VALUES ('00000000-0000-4000-8000-00000000000a', 'r1', 'O-', 19, 72, 'IN');
INSERT INTO donors.hospitals (id, name, country_code, latitude, longitude) VALUES ('00000000-0000-4000-8000-000000000001', 'H', 'IN', 19, 72);

CREATE FUNCTION pg_temp.context(user_id text, claims json DEFAULT '{}') RETURNS json LANGUAGE sql AS
    $$SELECT json_build_object('claims', claims, 'userId', user_id, 'sessionId', 's1', 'socketId', 'k1', 'namespace', '/')$$;
CREATE FUNCTION pg_temp.may(user_id text, room text, claims json DEFAULT '{}') RETURNS boolean LANGUAGE sql AS
    $$SELECT d.allowed FROM pulse.decide(json_build_array(json_build_object('operation', 'join', 'room', room, 'context', pg_temp.context(user_id, claims)))) d$$;
CREATE FUNCTION pg_temp.joined(user_id text, claims json DEFAULT '{}') RETURNS text[] LANGUAGE sql AS
    $$SELECT array_agg(r ORDER BY r) FROM json_array_elements_text(pulse.handle_connect('/', pg_temp.context(user_id, claims)) -> 'rooms') r$$;

SELECT is(pg_temp.joined('d1'), '{region:IN,user:d1}'::text[], 'D3: a donor joins the region of the donor''s row at connect');
SELECT is(pg_temp.joined('d1', '{"countryCode":"FR"}'), '{region:FR,user:d1}'::text[], 'D3: the claim countryCode comes first');
SELECT is(pg_temp.joined('x'), '{user:x}'::text[], 'D3: somebody without claim and row joins no region');
SELECT is(pg_temp.joined('x', '{"countryCode":"F:R"}'), '{user:x}'::text[], 'D3: a claim that is no country joins no region');

SELECT ok(pg_temp.may('d1', 'region:IN'), 'D3: region: by the donor''s row');
SELECT ok(NOT pg_temp.may('d1', 'region:DE'), 'D3: another region is refused');
SELECT ok(pg_temp.may('x', 'region:FR', '{"countryCode":"FR"}'), 'D3: region: by the claim');
SELECT ok(NOT pg_temp.may('d1', 'region:IN', '{"countryCode":"FR"}'), 'D3: the claim decides when there is one');
SELECT ok(NOT pg_temp.may('x', 'region:IN'), 'D3: without claim and row no region');

SELECT ok(pg_temp.may('x', 'emergency:00000000-0000-4000-8000-00000000000a'), 'D3: every user may watch an emergency');
SELECT ok(NOT pg_temp.may('x', 'emergency:00000000-0000-4000-8000-0000000000ff'), 'D3: not one that does not exist');
SELECT ok(NOT pg_temp.may('x', 'emergency:all'), 'D3: not one whose id is none');
SELECT ok(NOT pg_temp.may(NULL, 'emergency:00000000-0000-4000-8000-00000000000a'), 'D3: nobody anonymous');
SELECT ok(pg_temp.may('r1', 'emergency:00000000-0000-4000-8000-00000000000a:requester'), 'D3: the requester joins :requester');
SELECT ok(NOT pg_temp.may('d1', 'emergency:00000000-0000-4000-8000-00000000000a:requester'), 'D3: nobody else does');
SELECT ok(pg_temp.may('d1', 'donors:available'), 'D3: an available donor joins donors:available');
SELECT ok(NOT pg_temp.may('d2', 'donors:available'), 'D3: one whose presence is too old does not');
SELECT ok(NOT pg_temp.may('r1', 'donors:available'), 'D3: somebody who is no donor does not');
SELECT ok(pg_temp.may('x', 'hospital:00000000-0000-4000-8000-000000000001') AND NOT pg_temp.may('x', 'hospital:00000000-0000-4000-8000-000000000002'),
    'D3: every user may watch a hospital that exists');
SELECT ok(pg_temp.may('d1', 'user:d1') AND NOT pg_temp.may('d1', 'user:d2'), 'D3: only the user joins user:{userId}');

SELECT * FROM finish();
ROLLBACK;
