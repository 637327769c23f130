-- Handlers of the round trips, the same functions for pulse and for the peer: one that only answers, and one that reads and writes, as an
-- event of a chat does. Who writes stands in the arguments, so that nothing of pulse is needed inside.
CREATE TABLE bench.members (person int NOT NULL, topic int NOT NULL, PRIMARY KEY (person));
INSERT INTO bench.members SELECT n, n / 10 FROM generate_series(0, 999) AS n;
CREATE TABLE bench.posts (id bigint GENERATED ALWAYS AS IDENTITY, topic int NOT NULL, person int NOT NULL, n bigint NOT NULL, body text NOT NULL,
                          created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id));
CREATE FUNCTION bench.echo(args json) RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN json_build_object('ok', true, 'n', args -> 0 -> 'n');
END $$;
CREATE FUNCTION bench.post(args json) RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_person int := args -> 0 ->> 'person';
    v_topic int;
BEGIN
    SELECT m.topic INTO v_topic FROM bench.members m WHERE m.person = v_person;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'not a member';
    END IF;
    INSERT INTO bench.posts (topic, person, n, body) VALUES (v_topic, v_person, (args -> 0 ->> 'n')::bigint, args -> 0 ->> 'body');
    RETURN json_build_object('ok', true, 'n', args -> 0 -> 'n', 'topic', v_topic);
END $$;
GRANT EXECUTE ON FUNCTION bench.echo(json), bench.post(json) TO pulse_client;
SELECT pulse.on('bench:echo', 'bench.echo'), pulse.on('bench:post', 'bench.post');
