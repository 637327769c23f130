-- Jobs that do nothing, and one that says how long ago it was enqueued.
CREATE SCHEMA IF NOT EXISTS bench;
CREATE FUNCTION bench.noop(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;
END $$;
CREATE UNLOGGED TABLE bench.pickups (ms double precision NOT NULL);
CREATE FUNCTION bench.picked_up(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bench.pickups VALUES ((extract(epoch FROM clock_timestamp()) - (args ->> 'sent')::numeric) * 1000);
    RETURN NULL;
END $$;
-- What one would write by hand, without attempts, limits or history: a batch is claimed and gone in one statement.
CREATE TABLE bench.by_hand (id bigint GENERATED ALWAYS AS IDENTITY, args json NOT NULL, PRIMARY KEY (id));
