-- What the bench registers: rooms come from the token's claim `rooms`, so that a socket is where the measurement wants it; everybody may
-- join the room bench and those of ten, and read what came before (which long-polls need).
CREATE EXTENSION pulse;
GRANT pulse_bridge TO bench_bridge;
CREATE SCHEMA IF NOT EXISTS bench;
CREATE FUNCTION bench.connect(claims json) RETURNS json LANGUAGE sql
    RETURN json_build_object('rooms', claims -> 'rooms');
GRANT USAGE ON SCHEMA bench TO pulse_client;
GRANT EXECUTE ON FUNCTION bench.connect TO pulse_client;
SELECT pulse.namespace('/', 'bench.connect');
CREATE FUNCTION bench.may_join(claims json, room text, params json) RETURNS boolean LANGUAGE sql
    RETURN true;
GRANT EXECUTE ON FUNCTION bench.may_join TO pulse_client;
SELECT pulse.policy(pattern, operation, 'bench.may_join')
  FROM unnest(ARRAY['bench', 'r:{n}']) AS pattern, unnest(ARRAY['join', 'history']) AS operation;
