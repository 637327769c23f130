-- From 1.0 to 1.1, before the parts of api/ run again: new tables, columns, indexes, sequences, their comments and dump rules, as
-- schema/ has them; functions whose arguments or result changed are dropped here, and api/ makes the new ones.

ALTER TABLE pulse.ticks ADD COLUMN slot_ends bigint[];
COMMENT ON COLUMN pulse.ticks.slot_ends IS 'for each slot of pulse.events the highest position so far of an event that lives there; null: not recorded';

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

DROP FUNCTION pulse.bridge_hello(text);
