-- What the dispatcher writes: epochs, one tick a transaction, one delivery a room of an event, and poison events.
-- Progress lives only in appended ticks: an updated row would bloat under a held snapshot.
CREATE TABLE _pulse.epochs (
    number         bigint GENERATED ALWAYS AS IDENTITY,
    epoch          text NOT NULL,
    channel        text NOT NULL,
    after_position bigint NOT NULL,
    opened_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT epochs_pkey PRIMARY KEY (number),
    CONSTRAINT epochs_epoch_key UNIQUE (epoch)
);
COMMENT ON COLUMN _pulse.epochs.after_position IS 'last position of the epoch before; the first one here is one more';

CREATE TABLE pulse.deliveries (
    room     text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    xid      xid8 NOT NULL,
    event_id bigint NOT NULL,
    slot     smallint NOT NULL
) PARTITION BY LIST (slot);
CREATE TABLE _pulse.deliveries_0 PARTITION OF pulse.deliveries FOR VALUES IN (0);
CREATE TABLE _pulse.deliveries_1 PARTITION OF pulse.deliveries FOR VALUES IN (1);
CREATE TABLE _pulse.deliveries_2 PARTITION OF pulse.deliveries FOR VALUES IN (2);
CREATE INDEX deliveries_room_position_idx ON pulse.deliveries (room, position);
COMMENT ON TABLE pulse.deliveries IS 'which event stands at which position of which room';

CREATE TABLE pulse.ticks (
    first_position bigint NOT NULL,
    last_position  bigint NOT NULL,
    slot           smallint NOT NULL,
    at             timestamptz NOT NULL,
    before         pg_snapshot NOT NULL,
    upto           pg_snapshot NOT NULL,
    done_id        bigint,
    xids           xid8[] NOT NULL,
    ids            bigint[] NOT NULL,
    slot_ends      bigint[]
) PARTITION BY LIST (slot);
-- Compressing these arrays with pglz was a quarter of the dispatcher's work; partitions take over what is set here.
DO $$
BEGIN
    ALTER TABLE pulse.ticks ALTER COLUMN xids SET COMPRESSION lz4, ALTER COLUMN ids SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN   -- a server built without lz4
    ALTER TABLE pulse.ticks ALTER COLUMN xids SET STORAGE EXTERNAL, ALTER COLUMN ids SET STORAGE EXTERNAL;
END
$$;
CREATE TABLE _pulse.ticks_0 PARTITION OF pulse.ticks FOR VALUES IN (0);
CREATE TABLE _pulse.ticks_1 PARTITION OF pulse.ticks FOR VALUES IN (1);
CREATE TABLE _pulse.ticks_2 PARTITION OF pulse.ticks FOR VALUES IN (2);
CREATE INDEX ticks_last_position_idx ON pulse.ticks (last_position);
COMMENT ON TABLE pulse.ticks IS 'one row a dispatcher transaction: positions first … last are the events (xids[n], ids[n]), in order';
COMMENT ON COLUMN pulse.ticks.before IS 'snapshot P: events of transactions ended between P and S were dispatched';
COMMENT ON COLUMN pulse.ticks.upto IS 'snapshot S';
COMMENT ON COLUMN pulse.ticks.slot_ends IS 'for each slot of pulse.events the highest position so far of an event that lives there; null: not recorded';
COMMENT ON COLUMN pulse.ticks.done_id IS 'of a backlog cut in chunks: the last id done between P and S; null when all are';

CREATE TABLE _pulse.quarantine (
    position bigint NOT NULL,
    event_id bigint NOT NULL,
    xid      xid8 NOT NULL,
    sqlstate text NOT NULL,
    message  text NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT quarantine_pkey PRIMARY KEY (position)
);
COMMENT ON TABLE _pulse.quarantine IS 'poison events: they keep their position and are not delivered';

-- Retention: the newest row says which slot new rows go to and what may still be read. Appended like ticks, and as rare as hours.
CREATE TABLE _pulse.rotations (
    number  bigint GENERATED ALWAYS AS IDENTITY,
    slot    smallint NOT NULL,
    floor   bigint NOT NULL,
    emptied smallint,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT rotations_pkey PRIMARY KEY (number)
);
COMMENT ON COLUMN _pulse.rotations.slot IS 'slot that new rows go to from here on';
COMMENT ON COLUMN _pulse.rotations.floor IS 'lowest position that may be read from here on';
COMMENT ON COLUMN _pulse.rotations.emptied IS 'slot that this step emptied; null: it switched the slot';
INSERT INTO _pulse.rotations (slot, floor) VALUES (0, 1);

CREATE TABLE _pulse.consumers (
    name       text COLLATE "C" NOT NULL,
    position   bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT consumers_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE _pulse.consumers IS 'readers of the log that hold retention back, up to pulse.max_retention';
COMMENT ON COLUMN _pulse.consumers.position IS 'everything up to here was read';

-- The first P: everything from this very transaction on is to be dispatched.
INSERT INTO pulse.ticks (first_position, last_position, slot, at, before, upto, xids, ids, slot_ends)
SELECT 1, 0, 0, clock_timestamp(), now.p, now.p, '{}', '{}', '{0,0,0}'
FROM (SELECT format('%1$s:%1$s:', pg_current_xact_id())::pg_snapshot AS p) AS now;
