-- Porters, where they are now, and where they have been.

CREATE TABLE moves.porters (
    user_id    text COLLATE "C" NOT NULL,
    available  boolean NOT NULL DEFAULT true,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT porters_pkey PRIMARY KEY (user_id),
    CONSTRAINT porters_user_id_check CHECK (user_id <> '')
);
COMMENT ON TABLE moves.porters IS 'who takes jobs right now, as porter:availability says';

-- The last position, written many times a minute: unlogged, so that nobody waits for a disk. After a crash of the server the sample
-- in moves.porter_track stands in for it until the porter is heard of again. updates counts them, for that sample.
CREATE UNLOGGED TABLE moves.porter_positions (
    porter_id  text COLLATE "C" NOT NULL,
    latitude   double precision NOT NULL,
    longitude  double precision NOT NULL,
    accuracy   double precision,
    heading    double precision,
    speed      double precision,
    at         timestamptz NOT NULL DEFAULT now(),
    updates    bigint NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL DEFAULT now() + moves.location_ttl(),
    CONSTRAINT porter_positions_pkey PRIMARY KEY (porter_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE moves.porter_positions IS 'the last position of each porter, until expires_at';
COMMENT ON COLUMN moves.porter_positions.at IS 'when the porter was there, as the device says';
COMMENT ON COLUMN moves.porter_positions.updates IS 'how many positions came since the row exists; one in location_sample goes to moves.porter_track';
COMMENT ON COLUMN moves.porter_positions.expires_at IS 'from here on it counts as unknown; the setting location_ttl after updated_at';

CREATE TABLE moves.porter_track (
    id         bigint GENERATED ALWAYS AS IDENTITY,
    porter_id  text COLLATE "C" NOT NULL,
    latitude   double precision NOT NULL,
    longitude  double precision NOT NULL,
    accuracy   double precision,
    heading    double precision,
    speed      double precision,
    at         timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT porter_track_pkey PRIMARY KEY (id)
);
CREATE INDEX porter_track_porter_id_created_at_idx ON moves.porter_track (porter_id, created_at);
COMMENT ON TABLE moves.porter_track IS 'one position in location_sample of each porter, kept for good';
COMMENT ON COLUMN moves.porter_track.at IS 'when the porter was there, as the device says';
