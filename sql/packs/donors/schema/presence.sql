-- Who is available, and where. Logged on purpose: an emergency must find its donors right after a crash or a failover.
--
-- hot_position is what the search walks: the Mercator position in metres, snapped to a grid of 250 m. It changes, and with
-- it an index, only when a donor has really moved; updated_at is in no index. So most updates stay in the page (HOT), for
-- which fillfactor leaves room. Answers are ordered by the exact geodesic distance of position, see api/search.sql.
-- No foreign key to donors.donors: an application that keeps its donors elsewhere writes presence alone.

CREATE TABLE donors.presence (
    user_id      text COLLATE "C" NOT NULL,
    is_available boolean NOT NULL DEFAULT true,
    latitude     double precision,
    longitude    double precision,
    country_code text NOT NULL,
    blood_group  text NOT NULL,
    socket_id    text,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    antigens     integer GENERATED ALWAYS AS (donors.antigens(blood_group)) STORED,
    rh_negative  boolean GENERATED ALWAYS AS (donors.antigens(blood_group) < 4) STORED,
    position     geography(Point, 4326) GENERATED ALWAYS AS
                     (ST_SetSRID(ST_MakePoint(longitude, latitude), 4326)::geography) STORED,
    hot_position point GENERATED ALWAYS AS (point(
                     round(6378137 * radians(longitude) / 250) * 250,
                     round(6378137 * ln(tan(pi() / 4 + radians(greatest(-89.9, least(89.9, latitude))) / 2)) / 250) * 250)) STORED,
    CONSTRAINT presence_pkey PRIMARY KEY (user_id),
    CONSTRAINT presence_user_id_check CHECK (user_id <> ''),
    CONSTRAINT presence_position_check CHECK (NOT is_available OR (latitude IS NOT NULL AND longitude IS NOT NULL)),
    CONSTRAINT presence_latitude_check CHECK (latitude BETWEEN -90 AND 90),
    CONSTRAINT presence_longitude_check CHECK (longitude BETWEEN -180 AND 180),
    CONSTRAINT presence_country_code_check CHECK (country_code ~ '^[A-Z]{2}$'),
    CONSTRAINT presence_blood_group_check CHECK (donors.antigens(blood_group) IS NOT NULL)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- A recipient without Rh can take only donors without Rh, 4 % of all: the second index makes the rare case short.
CREATE INDEX presence_hot_position_available_idx ON donors.presence USING spgist (hot_position) WHERE is_available;
CREATE INDEX presence_hot_position_rh_negative_idx ON donors.presence USING spgist (hot_position) WHERE is_available AND rh_negative;

COMMENT ON TABLE donors.presence IS
    'availability and position of donors; available means is_available and updated within setting donors.presence_ttl';
COMMENT ON COLUMN donors.presence.country_code IS 'filled from donors.donors when it is left out';
COMMENT ON COLUMN donors.presence.blood_group IS 'filled from donors.donors when it is left out';
COMMENT ON COLUMN donors.presence.socket_id IS 'the socket that reported it last';
COMMENT ON COLUMN donors.presence.updated_at IS 'last activity';
COMMENT ON COLUMN donors.presence.antigens IS 'donors.antigens(blood_group)';
COMMENT ON COLUMN donors.presence.position IS 'the position for PostGIS: any ST_ function works on it';
COMMENT ON COLUMN donors.presence.hot_position IS 'Mercator metres on a grid of 250 m, for the indexes of donors.nearby';
