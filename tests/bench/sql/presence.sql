-- A state that is another one each time, for 30 minutes, of one of 10,000 users in 100 rooms; told to others or not.
CREATE SEQUENCE bench.presence_states;
CREATE FUNCTION bench.present(args json) RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pulse.track('bench:present:' || abs(hashtext(pulse.user_id())) % 100, json_build_object('n', nextval('bench.presence_states')), '30 minutes',
                        (args ->> 0)::boolean);
    RETURN NULL;
END $$;
GRANT EXECUTE ON FUNCTION bench.present(json) TO pulse_client;
SELECT pulse.on('bench:present', 'bench.present');
-- What one would write by hand: a row a user and room that nothing is lost with, and nobody is told of.
CREATE UNLOGGED TABLE bench.presence (user_id text, room text, state json NOT NULL, expires_at timestamptz NOT NULL, PRIMARY KEY (user_id, room)) WITH (fillfactor = 50);
