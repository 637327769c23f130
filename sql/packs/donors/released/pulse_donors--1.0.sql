-- complain if this script is sourced by psql rather than by CREATE EXTENSION
\echo Use "CREATE EXTENSION pulse_donors" to load this file. \quit
SET LOCAL search_path TO pg_catalog, pg_temp;

-- header.sql
-- After the header of all packs. PostgreSQL 15 cannot write @extschema:postgis@: the schema of PostGIS is looked up and added
-- to the path of this script. Functions bind PostGIS's names while it runs (BEGIN ATOMIC) and never look for them later: that schema
-- may be one where others create.
SELECT pg_catalog.set_config('search_path', pg_catalog.format('pg_catalog, %I, pg_temp', n.nspname), true)
  FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname = 'postgis';

-- schema/schemas.sql
-- donors is public API: its tables, functions and the SQL that applications write. _donors is private.
CREATE SCHEMA donors;
CREATE SCHEMA _donors;
COMMENT ON SCHEMA donors IS 'pulse_donors: blood emergencies, donors, hospitals (public API)';
COMMENT ON SCHEMA _donors IS 'pulse_donors: private, may change with any version';
GRANT USAGE ON SCHEMA donors TO PUBLIC;
REVOKE ALL ON SCHEMA _donors FROM PUBLIC;

-- schema/settings.sql
-- What an operator may change while everything runs: SELECT pulse.configure('donors', 'presence_ttl', '10 min').
SELECT pulse.define_setting('donors', 'presence_ttl', '30 min',
    'how long a donor stays available after the last update of the presence');
SELECT pulse.define_setting('donors', 'search_radius_km', '25',
    'radius of the donor search of a blood request that names none');

-- api/blood.sql
-- Blood groups as sets of antigens: A = 1, B = 2, Rh (D) = 4. Red cells of a donor are safe for a recipient who has every
-- antigen of the donor. That one rule is the whole ABO/Rh table for red cells: each antigen is absent in both, present in
-- the recipient alone, or present in both; 3 × 3 × 3 = 27 of the 64 pairs are compatible.

CREATE FUNCTION donors.antigens(blood_group text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT array_position(ARRAY['O-', 'A-', 'B-', 'AB-', 'O+', 'A+', 'B+', 'AB+'], antigens.blood_group) - 1;
END;
COMMENT ON FUNCTION donors.antigens(text) IS
    'antigens of a blood group as bits: A 1, B 2, Rh 4; null for anything but the eight groups';

CREATE FUNCTION donors.can_give(donor_group text, recipient_group text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT (donors.antigens(can_give.donor_group) & ~donors.antigens(can_give.recipient_group)) = 0;
END;
COMMENT ON FUNCTION donors.can_give(text, text) IS
    'whether red cells of donor_group can be given to recipient_group (full ABO/Rh table); null for an unknown group';

CREATE FUNCTION donors.compatible_antigens(recipient_group text) RETURNS integer[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE donors.antigens(compatible_antigens.recipient_group)
           WHEN 0 THEN '{0}' WHEN 1 THEN '{0,1}' WHEN 2 THEN '{0,2}' WHEN 3 THEN '{0,1,2,3}'
           WHEN 4 THEN '{0,4}' WHEN 5 THEN '{0,1,4,5}' WHEN 6 THEN '{0,2,4,6}' WHEN 7 THEN '{0,1,2,3,4,5,6,7}' END::integer[];
END;
COMMENT ON FUNCTION donors.compatible_antigens(text) IS
    'donors.antigens of every group that can give to recipient_group, the form an index scan can use';

-- api/time.sql
-- Settings of this pack as typed values, and times as clients read them.

CREATE FUNCTION donors.presence_ttl() RETURNS interval
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('donors', 'presence_ttl')::interval;
END;
COMMENT ON FUNCTION donors.presence_ttl() IS 'setting donors.presence_ttl: how long a donor stays available without activity';

CREATE FUNCTION donors.search_radius_km() RETURNS double precision
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.setting('donors', 'search_radius_km')::double precision;
END;
COMMENT ON FUNCTION donors.search_radius_km() IS 'setting donors.search_radius_km: radius of a blood request that names none';

CREATE FUNCTION _donors.iso(at timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT to_char(iso.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
END;
COMMENT ON FUNCTION _donors.iso(timestamptz) IS 'ISO 8601 in UTC with milliseconds and Z';

CREATE FUNCTION _donors.to_uuid(value text) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN to_uuid.value ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN to_uuid.value::uuid END;
END;
COMMENT ON FUNCTION _donors.to_uuid(text) IS 'the id that a client sent, or null when it is none';

-- schema/donors.sql
-- Who gives blood, and which devices to push to.

CREATE TABLE donors.donors (
    user_id          text COLLATE "C" NOT NULL,
    name             text,
    phone            text,
    blood_group      text NOT NULL,
    country_code     text NOT NULL,
    last_donation_at timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT donors_pkey PRIMARY KEY (user_id),
    CONSTRAINT donors_user_id_check CHECK (user_id <> ''),
    CONSTRAINT donors_phone_check CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
    CONSTRAINT donors_blood_group_check CHECK (donors.antigens(blood_group) IS NOT NULL),
    CONSTRAINT donors_country_code_check CHECK (country_code ~ '^[A-Z]{2}$')
);
COMMENT ON TABLE donors.donors IS 'people who give blood';
COMMENT ON COLUMN donors.donors.user_id IS 'the user id of the tokens';
COMMENT ON COLUMN donors.donors.phone IS 'E.164, such as +919876543210; where SMS goes';
COMMENT ON COLUMN donors.donors.blood_group IS 'O-, O+, A-, A+, B-, B+, AB- or AB+';
COMMENT ON COLUMN donors.donors.country_code IS 'ISO 3166-1 alpha-2; names the room region:{countryCode}';

CREATE TABLE donors.device_tokens (
    token        text COLLATE "C" NOT NULL,
    user_id      text COLLATE "C" NOT NULL,
    token_type   text NOT NULL DEFAULT 'fcm',
    device_type  text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    CONSTRAINT device_tokens_pkey PRIMARY KEY (token),
    CONSTRAINT device_tokens_token_check CHECK (token <> ''),
    CONSTRAINT device_tokens_token_type_check CHECK (token_type IN ('fcm')),
    CONSTRAINT device_tokens_device_type_check CHECK (device_type IN ('android', 'ios', 'web'))
);
CREATE INDEX device_tokens_user_id_idx ON donors.device_tokens (user_id);
COMMENT ON TABLE donors.device_tokens IS 'push tokens of users'' devices; a requester has them too, so there need not be a donor';

-- schema/presence.sql
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

-- schema/hospitals.sql
-- Hospitals and their stock of blood.

CREATE TABLE donors.hospitals (
    id           uuid NOT NULL DEFAULT gen_random_uuid(),
    name         text NOT NULL,
    country_code text NOT NULL,
    latitude     double precision NOT NULL,
    longitude    double precision NOT NULL,
    emergency    boolean NOT NULL DEFAULT false,
    is_active    boolean NOT NULL DEFAULT true,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT hospitals_pkey PRIMARY KEY (id),
    CONSTRAINT hospitals_id_country_code_key UNIQUE (id, country_code),
    CONSTRAINT hospitals_name_check CHECK (name <> ''),
    CONSTRAINT hospitals_country_code_check CHECK (country_code ~ '^[A-Z]{2}$'),
    CONSTRAINT hospitals_latitude_check CHECK (latitude BETWEEN -90 AND 90),
    CONSTRAINT hospitals_longitude_check CHECK (longitude BETWEEN -180 AND 180)
);
COMMENT ON TABLE donors.hospitals IS 'hospitals; a change of emergency or is_active is told to the region';
COMMENT ON COLUMN donors.hospitals.emergency IS 'takes emergencies right now';

-- country_code is the hospital's, kept here by the foreign key: the event of a change goes to the region's room, and a
-- trigger of pulse.watch sees only the row itself.
CREATE TABLE donors.blood_inventory (
    id           uuid NOT NULL DEFAULT gen_random_uuid(),
    hospital_id  uuid NOT NULL,
    country_code text NOT NULL,
    blood_group  text NOT NULL,
    units        integer NOT NULL DEFAULT 0,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT blood_inventory_pkey PRIMARY KEY (id),
    CONSTRAINT blood_inventory_hospital_id_blood_group_key UNIQUE (hospital_id, blood_group),
    CONSTRAINT blood_inventory_hospital_id_fkey FOREIGN KEY (hospital_id, country_code)
        REFERENCES donors.hospitals (id, country_code) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT blood_inventory_blood_group_check CHECK (donors.antigens(blood_group) IS NOT NULL),
    CONSTRAINT blood_inventory_units_check CHECK (units >= 0)
);
COMMENT ON TABLE donors.blood_inventory IS 'units of blood in stock, one row a hospital and group';
COMMENT ON COLUMN donors.blood_inventory.country_code IS 'the hospital''s country, filled and kept by the database';

-- schema/requests.sql
-- Blood requests (emergencies) and the donors' answers. INSERT INTO donors.blood_requests is the API: triggers do the rest.

CREATE TABLE donors.blood_requests (
    id            uuid NOT NULL DEFAULT gen_random_uuid(),
    requester_id  text COLLATE "C" NOT NULL,
    blood_group   text NOT NULL,
    urgency       text NOT NULL DEFAULT 'normal',
    units         integer NOT NULL DEFAULT 1,
    latitude      double precision NOT NULL,
    longitude     double precision NOT NULL,
    radius_km     double precision NOT NULL DEFAULT donors.search_radius_km(),
    country_code  text NOT NULL,
    status        text NOT NULL DEFAULT 'open',
    hospital_id   uuid,
    hospital_name text,
    notes         text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT blood_requests_pkey PRIMARY KEY (id),
    CONSTRAINT blood_requests_hospital_id_fkey FOREIGN KEY (hospital_id)
        REFERENCES donors.hospitals (id) ON DELETE SET NULL,
    CONSTRAINT blood_requests_requester_id_check CHECK (requester_id <> ''),
    CONSTRAINT blood_requests_blood_group_check CHECK (donors.antigens(blood_group) IS NOT NULL),
    CONSTRAINT blood_requests_urgency_check CHECK (urgency IN ('low', 'normal', 'high', 'critical')),
    CONSTRAINT blood_requests_units_check CHECK (units > 0),
    CONSTRAINT blood_requests_latitude_check CHECK (latitude BETWEEN -90 AND 90),
    CONSTRAINT blood_requests_longitude_check CHECK (longitude BETWEEN -180 AND 180),
    CONSTRAINT blood_requests_radius_km_check CHECK (radius_km > 0 AND radius_km <= 20100),
    CONSTRAINT blood_requests_country_code_check CHECK (country_code ~ '^[A-Z]{2}$'),
    CONSTRAINT blood_requests_status_check CHECK (status IN ('open', 'matched', 'fulfilled', 'cancelled', 'expired'))
);
CREATE INDEX blood_requests_country_code_status_created_at_idx ON donors.blood_requests (country_code, status, created_at);
CREATE INDEX blood_requests_requester_id_created_at_idx ON donors.blood_requests (requester_id, created_at);
CREATE INDEX blood_requests_hospital_id_idx ON donors.blood_requests (hospital_id) WHERE hospital_id IS NOT NULL;
COMMENT ON TABLE donors.blood_requests IS 'blood emergencies; an insert alerts the region and the compatible donors nearby';
COMMENT ON COLUMN donors.blood_requests.requester_id IS 'the user id of who asks; joins emergency:{id}:requester';
COMMENT ON COLUMN donors.blood_requests.radius_km IS 'how far donors are searched; default: setting donors.search_radius_km';
COMMENT ON COLUMN donors.blood_requests.hospital_name IS 'filled from hospital_id when it is left out';
COMMENT ON COLUMN donors.blood_requests.updated_at IS 'time of the last change, kept by the database';

CREATE TABLE donors.blood_request_responses (
    id          uuid NOT NULL DEFAULT gen_random_uuid(),
    request_id  uuid NOT NULL,
    donor_id    text COLLATE "C" NOT NULL,
    status      text NOT NULL DEFAULT 'accepted',
    eta_minutes integer,
    message     text,
    distance_km double precision,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT blood_request_responses_pkey PRIMARY KEY (id),
    CONSTRAINT blood_request_responses_request_id_donor_id_key UNIQUE (request_id, donor_id),
    CONSTRAINT blood_request_responses_request_id_fkey FOREIGN KEY (request_id)
        REFERENCES donors.blood_requests (id) ON DELETE CASCADE,
    CONSTRAINT blood_request_responses_donor_id_check CHECK (donor_id <> ''),
    CONSTRAINT blood_request_responses_status_check
        CHECK (status IN ('accepted', 'declined', 'arrived', 'donated', 'withdrawn')),
    CONSTRAINT blood_request_responses_eta_minutes_check CHECK (eta_minutes >= 0),
    CONSTRAINT blood_request_responses_distance_km_check CHECK (distance_km >= 0)
);
CREATE INDEX blood_request_responses_donor_id_idx ON donors.blood_request_responses (donor_id, created_at);
COMMENT ON TABLE donors.blood_request_responses IS 'donors'' answers, one a donor and request';
COMMENT ON COLUMN donors.blood_request_responses.distance_km IS
    'how far the donor was when the answer was given; filled from the presence, null when nothing is known';

-- One row a request whose donors have been told: a repeated job finds it and tells nobody twice.
CREATE TABLE _donors.fan_outs (
    request_id uuid NOT NULL,
    nearby     integer NOT NULL DEFAULT 0,
    at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT fan_outs_pkey PRIMARY KEY (request_id),
    CONSTRAINT fan_outs_request_id_fkey FOREIGN KEY (request_id)
        REFERENCES donors.blood_requests (id) ON DELETE CASCADE
);

-- api/rows.sql
-- Trigger functions that complete rows before they are written, so that an INSERT needs only what the caller knows.
-- They look up other tables as the owner: who may write a request need not be able to read hospitals or positions.

CREATE FUNCTION _donors.touch() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _donors.touch() IS 'trigger: updated_at of a changed row, unless the UPDATE sets it';

CREATE FUNCTION _donors.fill_presence() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT coalesce(NEW.blood_group, d.blood_group), coalesce(NEW.country_code, d.country_code)
      INTO NEW.blood_group, NEW.country_code
      FROM donors.donors d
     WHERE d.user_id = NEW.user_id;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _donors.fill_presence() IS 'trigger: blood group and country from the donor''s row';

CREATE FUNCTION _donors.fill_inventory() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT h.country_code INTO NEW.country_code FROM donors.hospitals h WHERE h.id = NEW.hospital_id;
    IF NOT FOUND AND NEW.hospital_id IS NOT NULL THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('hospital %s does not exist', NEW.hospital_id),
            HINT = 'Insert the hospital into donors.hospitals first.',
            SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, CONSTRAINT = 'blood_inventory_hospital_id_fkey';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _donors.fill_inventory() IS 'trigger: the hospital''s country';

CREATE FUNCTION _donors.fill_request() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT h.name INTO NEW.hospital_name FROM donors.hospitals h WHERE h.id = NEW.hospital_id;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _donors.fill_request() IS 'trigger: the hospital''s name';

-- PostGIS by names that are bound now: its schema is often public, and a function run as the owner must not look for names there.
CREATE FUNCTION _donors.metres(a geography, b geography) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT ST_Distance(metres.a, metres.b);
END;
COMMENT ON FUNCTION _donors.metres(geography, geography) IS 'the geodesic distance of two positions';

CREATE FUNCTION _donors.geo_point(latitude double precision, longitude double precision) RETURNS geography
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT ST_SetSRID(ST_MakePoint(geo_point.longitude, geo_point.latitude), 4326)::geography;
END;
COMMENT ON FUNCTION _donors.geo_point(double precision, double precision) IS 'a position for PostGIS';

CREATE FUNCTION _donors.fill_response() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT round(_donors.metres(p.position, _donors.geo_point(q.latitude, q.longitude))::numeric / 1000, 3)
      INTO NEW.distance_km
      FROM donors.presence p
      JOIN donors.blood_requests q ON q.id = NEW.request_id
     WHERE p.user_id = NEW.donor_id;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _donors.fill_response() IS 'trigger: how far the donor is from the request, when the position is known';

CREATE FUNCTION _donors.follow_donor() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM donors.presence p WHERE p.user_id = OLD.user_id;
        DELETE FROM donors.device_tokens t WHERE t.user_id = OLD.user_id;
    ELSE
        UPDATE donors.presence p SET blood_group = NEW.blood_group, country_code = NEW.country_code WHERE p.user_id = NEW.user_id;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _donors.follow_donor() IS
    'trigger: presence follows a corrected blood group or country; presence and tokens go with a deleted donor';

-- api/search.sql
-- donors.nearby: the nearest available donors who can give to a group, on two partial indexes (schema/presence.sql).
--
-- The index orders by distance on the Mercator plane, snapped to a grid; the answer orders by the exact geodesic distance.
-- Both agree up to a known factor, so the nearest rows of the index are read with a small margin, measured exactly, and the
-- answer stands when even the best case of the next index row is farther than the last donor of the answer. If it does not
-- (dense grid cells, distortion near the poles), everything within that last donor's distance is read and measured instead.
-- So the answer always equals brute force. Nobody here writes anything.

CREATE FUNCTION _donors.mercator(latitude double precision, longitude double precision) RETURNS point
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT point(6378137 * radians(mercator.longitude),
                 6378137 * ln(tan(pi() / 4 + radians(greatest(-89.9, least(89.9, mercator.latitude))) / 2)));
END;
COMMENT ON FUNCTION _donors.mercator(double precision, double precision) IS
    'Mercator metres of a position; beyond 89.9 degrees the pole itself, so that it stays finite';

-- Boxes that hold every hot_position within so many metres of a position: one; two where they cross the antimeridian; one
-- around the whole world where they hold a pole. A little too large is right, too small is not: 6335439 is the smallest
-- radius of curvature of the ellipsoid, 1 % is added for the sphere's longitudes, 250 m for the grid.
CREATE FUNCTION _donors.search_boxes(latitude double precision, longitude double precision, metres double precision)
    RETURNS box[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_angle double precision := least(search_boxes.metres / 6335439 * 1.01, pi());
    v_south double precision := search_boxes.latitude - degrees(v_angle);
    v_north double precision := search_boxes.latitude + degrees(v_angle);
    v_edge  constant double precision := 6378137 * pi() + 250;
    v_y1    double precision;
    v_y2    double precision;
    v_x     double precision;
    v_dx    double precision;
BEGIN
    v_y1 := (_donors.mercator(v_south, 0))[1] - 250;
    v_y2 := (_donors.mercator(v_north, 0))[1] + 250;
    IF v_south <= -89 OR v_north >= 89 THEN
        RETURN ARRAY[box(point(-v_edge, v_y1), point(v_edge, v_y2))];
    END IF;
    v_x  := 6378137 * radians(search_boxes.longitude);
    v_dx := 6378137 * asin(least(1, sin(v_angle) / cos(radians(search_boxes.latitude)))) + 250;
    IF v_x - v_dx < -v_edge + 250 THEN
        RETURN ARRAY[box(point(-v_edge, v_y1), point(v_x + v_dx, v_y2)),
                     box(point(v_x - v_dx + 2 * pi() * 6378137, v_y1), point(v_edge, v_y2))];
    ELSIF v_x + v_dx > v_edge - 250 THEN
        RETURN ARRAY[box(point(v_x - v_dx, v_y1), point(v_edge, v_y2)),
                     box(point(-v_edge, v_y1), point(v_x + v_dx - 2 * pi() * 6378137, v_y2))];
    END IF;
    RETURN ARRAY[box(point(v_x - v_dx, v_y1), point(v_x + v_dx, v_y2))];
END
$$;
COMMENT ON FUNCTION _donors.search_boxes(double precision, double precision, double precision) IS
    'boxes that hold every hot_position within so many metres of a position';

-- Says what is wrong with the arguments of a search. Called only when something is.
CREATE FUNCTION _donors.refuse_search(
    latitude double precision, longitude double precision, radius_km double precision, blood_group text, max_results integer)
    RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF donors.antigens(refuse_search.blood_group) IS NULL THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('invalid blood group: %s', coalesce(quote_literal(refuse_search.blood_group), 'null')),
            HINT = 'Use one of O-, O+, A-, A+, B-, B+, AB-, AB+.';
    ELSIF (refuse_search.latitude BETWEEN -90 AND 90 AND refuse_search.longitude BETWEEN -180 AND 180) IS NOT TRUE THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('invalid position: latitude %s, longitude %s', coalesce(refuse_search.latitude::text, 'null'),
                             coalesce(refuse_search.longitude::text, 'null')),
            HINT = 'Latitudes go from -90 to 90, longitudes from -180 to 180.';
    ELSIF (refuse_search.radius_km BETWEEN 0 AND 'infinity') IS NOT TRUE THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('invalid radius_km: %s', coalesce(refuse_search.radius_km::text, 'null')),
            HINT = 'The radius is a number of kilometres, 0 or more.';
    END IF;
    RAISE invalid_parameter_value USING
        MESSAGE = format('invalid max_results: %s', refuse_search.max_results),
        HINT = 'Use 0 or more; null finds all.';
END
$$;
COMMENT ON FUNCTION _donors.refuse_search(double precision, double precision, double precision, text, integer) IS
    'raises the error for invalid arguments of donors.nearby';

-- The slow and certain way: measures everybody in the boxes. For searches that hold a pole, cross the antimeridian or want
-- everybody, and for the few that the fast way cannot answer; those give hot_reach, the Mercator metres from center beyond
-- which nobody can be near enough.
CREATE FUNCTION _donors.within(
    origin geography, max_metres double precision, boxes box[], center point, hot_reach double precision,
    groups integer[], negative boolean, since timestamptz)
    RETURNS TABLE (user_id text, blood_group text, metres double precision, updated_at timestamptz)
    LANGUAGE plpgsql STABLE ROWS 200
    SET search_path = pg_catalog, pg_temp
    SET jit = off   -- the planner thinks ST_Distance dear enough to compile, 20 ms a session
AS $$
BEGIN
    RETURN QUERY
    SELECT d.* FROM (
        SELECT a.user_id, a.blood_group, _donors.metres(a.position, within.origin) AS metres, a.updated_at
          FROM unnest(within.boxes) b (box)
         CROSS JOIN LATERAL (
               SELECT r.user_id, r.blood_group, r.position, r.updated_at
                 FROM donors.presence r
                WHERE NOT within.negative
                  AND r.is_available AND r.hot_position <@ b.box AND r.updated_at > within.since AND r.antigens = ANY (within.groups)
                  AND coalesce(r.hot_position <-> within.center <= within.hot_reach, true)
               UNION ALL
               SELECT r.user_id, r.blood_group, r.position, r.updated_at
                 FROM donors.presence r
                WHERE within.negative
                  AND r.is_available AND r.rh_negative AND r.hot_position <@ b.box AND r.updated_at > within.since
                  AND r.antigens = ANY (within.groups)
                  AND coalesce(r.hot_position <-> within.center <= within.hot_reach, true)
               ) a
        OFFSET 0) d   -- measures each once
     WHERE d.metres <= within.max_metres;
END
$$;
COMMENT ON FUNCTION _donors.within(geography, double precision, box[], point, double precision, integer[], boolean, timestamptz) IS
    'everybody available in the boxes within max_metres of origin, in no order';

-- One SQL statement, so that PostgreSQL inlines it: EXPLAIN shows the scans, and a prepared statement keeps one plan.
-- The caller needs SELECT on donors.presence: the positions of donors are not for everybody.
-- simple: the order of the index is usable, that is a limit, and one box far enough from the poles; depth: rows to read in
-- that order; scale: a metre on the Mercator plane is at least so many metres on the ground, anywhere in the box.
CREATE FUNCTION donors.nearby(
    latitude double precision, longitude double precision, radius_km double precision, blood_group text, max_results integer DEFAULT 50)
    RETURNS TABLE (user_id text, blood_group text, distance_km double precision, updated_at timestamptz)
    LANGUAGE sql STABLE ROWS 50
BEGIN ATOMIC
    WITH search AS MATERIALIZED (
        SELECT ST_SetSRID(ST_MakePoint(nearby.longitude, nearby.latitude), 4326)::geography AS origin,
               _donors.mercator(nearby.latitude, nearby.longitude) AS center,
               box(point(c.x - c.dx, (_donors.mercator(nearby.latitude - degrees(c.angle), 0))[1] - 250),
                   point(c.x + c.dx, (_donors.mercator(nearby.latitude + degrees(c.angle), 0))[1] + 250)) AS box,
               c.metres,
               donors.compatible_antigens(nearby.blood_group) AS groups,
               donors.antigens(nearby.blood_group) < 4 AS negative,
               now() - donors.presence_ttl() AS since,
               coalesce(nearby.max_results < 10000, false)
                   AND abs(nearby.latitude) + degrees(c.angle) < 85 AND abs(c.x) + c.dx < 20037508 AS simple,
               nearby.max_results + nearby.max_results / 4 + 4 AS depth,
               0.9933 * cos(radians(least(89, abs(nearby.latitude) + degrees(c.angle)))) AS scale
          FROM (SELECT m.metres, m.angle, 6378137 * radians(nearby.longitude) AS x,
                       6378137 * asin(least(1, sin(m.angle) / cos(radians(nearby.latitude)))) + 250 AS dx
                  FROM (SELECT least(nearby.radius_km, 20100) * 1000 AS metres,
                               least(least(nearby.radius_km, 20100) * 1000 / 6335439 * 1.01, pi()) AS angle) m) c
         WHERE CASE WHEN nearby.latitude BETWEEN -90 AND 90 AND nearby.longitude BETWEEN -180 AND 180
                         AND nearby.radius_km BETWEEN 0 AND 'infinity' AND donors.antigens(nearby.blood_group) >= 0
                         AND coalesce(nearby.max_results >= 0, true)
                    THEN true
                    ELSE _donors.refuse_search(nearby.latitude, nearby.longitude, nearby.radius_km, nearby.blood_group, nearby.max_results)
               END
    ), nearest AS MATERIALIZED (
        SELECT p.user_id, p.blood_group, p.updated_at, p.hot_metres, ST_Distance(p.position, s.origin) AS metres
          FROM search s
         CROSS JOIN LATERAL (
              (SELECT r.user_id, r.blood_group, r.updated_at, r.position, r.hot_position <-> s.center AS hot_metres
                 FROM donors.presence r
                WHERE s.simple AND NOT s.negative
                  AND r.is_available AND r.hot_position <@ s.box AND r.updated_at > s.since AND r.antigens = ANY (s.groups)
                ORDER BY r.hot_position <-> s.center LIMIT s.depth)
              UNION ALL
              (SELECT r.user_id, r.blood_group, r.updated_at, r.position, r.hot_position <-> s.center
                 FROM donors.presence r
                WHERE s.simple AND s.negative
                  AND r.is_available AND r.rh_negative AND r.hot_position <@ s.box AND r.updated_at > s.since AND r.antigens = ANY (s.groups)
                ORDER BY r.hot_position <-> s.center LIMIT s.depth)
              ) p
    ), reach AS MATERIALIZED (
        -- metres: nobody farther can be in the answer; complete: nobody nearer than that is missing in nearest
        SELECT k.metres,
               s.simple AND (k.rows < s.depth OR (k.hot_metres - 250 * sqrt(0.5)) * s.scale > k.metres) AS complete
          FROM search s
         CROSS JOIN LATERAL (
               SELECT count(*) AS rows, max(n.hot_metres) AS hot_metres,
                      least(s.metres, max(n.metres) FILTER (WHERE n.row = nearby.max_results)) AS metres
                 FROM (SELECT hot_metres, metres, row_number() OVER (ORDER BY metres) AS row FROM nearest) n) k
    )
    SELECT a.user_id, a.blood_group, a.metres / 1000, a.updated_at
      FROM (SELECT n.user_id, n.blood_group, n.updated_at, n.metres
              FROM nearest n CROSS JOIN reach
             WHERE reach.complete AND n.metres <= reach.metres
            UNION ALL
            SELECT w.user_id, w.blood_group, w.updated_at, w.metres
              FROM search s CROSS JOIN reach
             CROSS JOIN LATERAL _donors.within(s.origin, reach.metres,
                        _donors.search_boxes(nearby.latitude, nearby.longitude, reach.metres),
                        CASE WHEN s.simple THEN s.center END, reach.metres / s.scale + 250 * sqrt(0.5),
                        s.groups, s.negative, s.since) w
             WHERE NOT reach.complete) a
     ORDER BY a.metres, a.user_id
     LIMIT abs(nearby.max_results);   -- below 0 is refused above, with a better message than LIMIT's own
END;
COMMENT ON FUNCTION donors.nearby(double precision, double precision, double precision, text, integer) IS
    'available donors within radius_km who can give to blood_group, nearest first, with the exact geodesic distance; max_results null finds all';

-- api/emergencies.sql
-- A blood request as clients read it: in acks, in emergency:nearby and, field by field the same, in emergency:created.

CREATE FUNCTION donors.emergency_json(request donors.blood_requests, distance_km double precision DEFAULT NULL)
    RETURNS json
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT json_strip_nulls(json_build_object(
               'emergencyId', (emergency_json.request).id,
               'bloodGroup', (emergency_json.request).blood_group,
               'urgency', (emergency_json.request).urgency,
               'units', (emergency_json.request).units,
               'hospitalId', (emergency_json.request).hospital_id,
               'hospitalName', (emergency_json.request).hospital_name,
               'latitude', (emergency_json.request).latitude,
               'longitude', (emergency_json.request).longitude,
               'countryCode', (emergency_json.request).country_code,
               'status', (emergency_json.request).status,
               'createdAt', _donors.iso((emergency_json.request).created_at),
               'distanceKm', round(emergency_json.distance_km::numeric, 3)));
END;
COMMENT ON FUNCTION donors.emergency_json(donors.blood_requests, double precision) IS
    'a blood request as clients read it, without the requester; distanceKm when a distance is given';

-- api/presence.sql
-- Availability of one donor, and its end by time.

CREATE FUNCTION _donors.is_available(user_id text) RETURNS boolean
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM donors.presence p
                    WHERE p.user_id = is_available.user_id AND p.is_available AND p.updated_at > now() - donors.presence_ttl());
END;
COMMENT ON FUNCTION _donors.is_available(text) IS 'whether the donor is available now';

-- The search ignores rows older than the setting donors.presence_ttl at once. This job takes them out of its indexes, so that
-- donors who just vanished do not pile up there. It runs while somebody is available, and arms itself again.
CREATE FUNCTION donors.expire_presence(args json DEFAULT NULL) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_expired bigint;
BEGIN
    -- rows that somebody is updating right now are not old
    WITH old AS (
        SELECT p.user_id FROM donors.presence p
         WHERE p.is_available AND p.updated_at <= now() - donors.presence_ttl()
           FOR UPDATE SKIP LOCKED)
    UPDATE donors.presence p SET is_available = false FROM old WHERE p.user_id = old.user_id;
    GET DIAGNOSTICS v_expired = ROW_COUNT;
    IF EXISTS (SELECT FROM donors.presence p WHERE p.is_available) THEN
        PERFORM _donors.arm_expiry();
    END IF;
    RETURN json_build_object('expired', v_expired);
END
$$;
COMMENT ON FUNCTION donors.expire_presence(json) IS
    'job: ends the availability of donors who were not heard of for donors.presence_ttl, and runs again later';
REVOKE EXECUTE ON FUNCTION donors.expire_presence(json) FROM PUBLIC;

CREATE FUNCTION _donors.arm_expiry() RETURNS bigint
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pulse.enqueue('donors', 'sql', '{"function":"donors.expire_presence","args":{}}'::json,
        priority => 10, run_at => now() + least(donors.presence_ttl() / 4, interval '5 min'), unique_key => 'donors.expire_presence')
$$;
COMMENT ON FUNCTION _donors.arm_expiry() IS 'sees to it that donors.expire_presence runs; once, however often it is called';

CREATE FUNCTION _donors.on_available() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM _donors.arm_expiry();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _donors.on_available() IS 'trigger: somebody became available';

-- api/fan_out.sql
-- Who is told of a new blood request in person: everybody available nearby who can give. The insert only writes a job; the
-- search and the events happen in a worker's own transaction, so the insert waits for nothing.

CREATE FUNCTION _donors.on_request() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pulse.enqueue('donors', 'sql',
        json_build_object('function', 'donors.fan_out', 'args', json_build_object('requestId', NEW.id)));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _donors.on_request() IS 'trigger: a job that tells the donors nearby';

-- Exactly once a request: the row of _donors.fan_outs commits with the events. A job that is repeated finds it.
CREATE FUNCTION donors.fan_out(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_request donors.blood_requests;
    v_nearby  integer;
BEGIN
    SELECT * INTO v_request FROM donors.blood_requests r WHERE r.id = _donors.to_uuid(fan_out.args ->> 'requestId');
    IF NOT FOUND OR v_request.status <> 'open' THEN
        RETURN json_build_object('nearby', 0);
    END IF;
    INSERT INTO _donors.fan_outs (request_id) VALUES (v_request.id) ON CONFLICT ON CONSTRAINT fan_outs_pkey DO NOTHING;
    IF NOT FOUND THEN
        RETURN json_build_object('nearby', 0);
    END IF;

    SELECT count(pulse.publish('user:' || _donors.room_part(n.user_id), 'emergency:nearby',
                               donors.emergency_json(v_request, n.distance_km), partition_key => v_request.id::text))
      INTO v_nearby
      FROM donors.nearby(v_request.latitude, v_request.longitude, v_request.radius_km, v_request.blood_group, NULL) n
     WHERE n.user_id <> v_request.requester_id;

    UPDATE _donors.fan_outs f SET nearby = v_nearby WHERE f.request_id = v_request.id;
    RETURN json_build_object('nearby', v_nearby);
END
$$;
COMMENT ON FUNCTION donors.fan_out(json) IS
    'job: publishes emergency:nearby to every available donor in the radius of a request who can give, once a request';
REVOKE EXECUTE ON FUNCTION donors.fan_out(json) FROM PUBLIC;

-- api/rooms.sql
-- Who may be in which room. user:{userId} is the engine's own. A policy answers from the verified claims and the tables;
-- what no policy allows is denied.

CREATE FUNCTION _donors.country_of(claims json) RETURNS text
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(substring(country_of.claims ->> 'countryCode' FROM '^[A-Z]{2}$'),
                    (SELECT d.country_code FROM donors.donors d WHERE d.user_id = pulse.user_id()));
END;
COMMENT ON FUNCTION _donors.country_of(json) IS 'the country of a user: the claim, else the donor''s row';

CREATE FUNCTION _donors.room_part(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT replace(replace(room_part.value, '%', '%25'), ':', '%3A');
END;
COMMENT ON FUNCTION _donors.room_part(text) IS 'a value as a part of a room''s name';

CREATE FUNCTION donors.connect(claims json) RETURNS json
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT json_build_object('rooms', coalesce(json_agg('region:' || c.country_code), '[]'))
      FROM (SELECT _donors.country_of(connect.claims) AS country_code) c
     WHERE c.country_code IS NOT NULL
$$;
COMMENT ON FUNCTION donors.connect(json) IS 'connect: joins region:{countryCode}, by the claim or else the donor''s row';
REVOKE EXECUTE ON FUNCTION donors.connect(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.connect(json) TO pulse_client;

CREATE FUNCTION donors.may_join_region(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(_donors.country_of(may_join_region.claims) = may_join_region.params ->> 'countryCode', false)
$$;
COMMENT ON FUNCTION donors.may_join_region(json, text, json) IS 'policy: region:{countryCode} for users of that country';
REVOKE EXECUTE ON FUNCTION donors.may_join_region(json, text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.may_join_region(json, text, json) TO pulse_client;

CREATE FUNCTION donors.may_join_emergency(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pulse.user_id() IS NOT NULL
       AND EXISTS (SELECT FROM donors.blood_requests r WHERE r.id = _donors.to_uuid(may_join_emergency.params ->> 'id'))
$$;
COMMENT ON FUNCTION donors.may_join_emergency(json, text, json) IS 'policy: emergency:{id} for every known user, when it exists';
REVOKE EXECUTE ON FUNCTION donors.may_join_emergency(json, text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.may_join_emergency(json, text, json) TO pulse_client;

CREATE FUNCTION donors.may_join_requester(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM donors.blood_requests r
                    WHERE r.id = _donors.to_uuid(may_join_requester.params ->> 'id')
                      AND r.requester_id = pulse.user_id())
$$;
COMMENT ON FUNCTION donors.may_join_requester(json, text, json) IS 'policy: emergency:{id}:requester for the requester alone';
REVOKE EXECUTE ON FUNCTION donors.may_join_requester(json, text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.may_join_requester(json, text, json) TO pulse_client;

CREATE FUNCTION donors.may_join_available(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(_donors.is_available(pulse.user_id()), false)
$$;
COMMENT ON FUNCTION donors.may_join_available(json, text, json) IS 'policy: donors:available for donors who are';
REVOKE EXECUTE ON FUNCTION donors.may_join_available(json, text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.may_join_available(json, text, json) TO pulse_client;

CREATE FUNCTION donors.may_join_hospital(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pulse.user_id() IS NOT NULL
       AND EXISTS (SELECT FROM donors.hospitals h WHERE h.id = _donors.to_uuid(may_join_hospital.params ->> 'id'))
$$;
COMMENT ON FUNCTION donors.may_join_hospital(json, text, json) IS 'policy: hospital:{id} for every known user, when it exists';
REVOKE EXECUTE ON FUNCTION donors.may_join_hospital(json, text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.may_join_hospital(json, text, json) TO pulse_client;

-- api/handlers.sql
-- What clients may send. Each takes the array of the event's arguments and returns the ack; a refusal raises an error of
-- class PL with a hint, which the client gets in its ack.

CREATE FUNCTION _donors.require_user() RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF pulse.user_id() IS NULL THEN
        PERFORM pulse.fail('unauthenticated', 'this event needs a user', 'Connect with a token that has the claim userId or sub.');
    END IF;
    RETURN pulse.user_id();
END
$$;
COMMENT ON FUNCTION _donors.require_user() IS 'the user of this call, or an error';

CREATE FUNCTION _donors.require_object(args json, example text) RETURNS json
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF json_typeof(require_object.args -> 0) IS DISTINCT FROM 'object' THEN
        PERFORM pulse.fail('invalid', 'the argument must be an object', 'Send ' || require_object.example || '.');
    END IF;
    RETURN require_object.args -> 0;
END
$$;
COMMENT ON FUNCTION _donors.require_object(json, text) IS 'the event''s one argument when it is an object, or an error with an example';

CREATE FUNCTION _donors.coordinate(input json, name text, bound integer) RETURNS double precision
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_value numeric;
BEGIN
    IF json_typeof(coordinate.input -> coordinate.name) = 'number' THEN
        v_value := (coordinate.input ->> coordinate.name)::numeric;
        IF v_value BETWEEN -coordinate.bound AND coordinate.bound THEN
            RETURN v_value;
        END IF;
    ELSIF coalesce(json_typeof(coordinate.input -> coordinate.name), 'null') = 'null' THEN
        RETURN NULL;
    END IF;
    PERFORM pulse.fail('invalid', format('%s must be a number from -%s to %s', coordinate.name, coordinate.bound, coordinate.bound),
        'Positions are WGS 84 degrees, such as latitude 19.076, longitude 72.8777.');
END
$$;
COMMENT ON FUNCTION _donors.coordinate(json, text, integer) IS 'latitude or longitude of a client, null when it is left out, or an error';

CREATE FUNCTION donors.on_update_presence(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user      text := _donors.require_user();
    v_input     json := _donors.require_object(args, '{"isAvailable":true,"latitude":19.076,"longitude":72.8777}');
    v_latitude  double precision := _donors.coordinate(v_input, 'latitude', 90);
    v_longitude double precision := _donors.coordinate(v_input, 'longitude', 180);
    v_available boolean;
    v_donor     donors.donors;
BEGIN
    IF json_typeof(v_input -> 'isAvailable') IS DISTINCT FROM 'boolean' THEN
        PERFORM pulse.fail('invalid', 'isAvailable must be true or false', 'Send {"isAvailable":true,"latitude":19.076,"longitude":72.8777}.');
    END IF;
    v_available := (v_input ->> 'isAvailable')::boolean;
    IF (v_latitude IS NULL) <> (v_longitude IS NULL) THEN
        PERFORM pulse.fail('invalid', 'latitude and longitude go together', 'Send both, or neither to keep the last position.');
    END IF;
    SELECT * INTO v_donor FROM donors.donors d WHERE d.user_id = v_user;
    IF NOT FOUND THEN
        PERFORM pulse.fail('not_found', 'you are not registered as a donor', 'Register the user in donors.donors first.');
    END IF;
    IF v_available AND v_latitude IS NULL
       AND NOT EXISTS (SELECT FROM donors.presence p WHERE p.user_id = v_user AND p.latitude IS NOT NULL) THEN
        PERFORM pulse.fail('invalid', 'latitude and longitude are needed to become available', 'Send {"isAvailable":true,"latitude":19.076,"longitude":72.8777}.');
    END IF;

    -- UPDATE first: nearly always the row is there, and an upsert would fire the triggers of INSERT as well
    UPDATE donors.presence p
       SET is_available = v_available,
           latitude     = coalesce(v_latitude, p.latitude),
           longitude    = coalesce(v_longitude, p.longitude),
           country_code = v_donor.country_code,
           blood_group  = v_donor.blood_group,
           socket_id    = pulse.socket_id(),
           updated_at   = now()
     WHERE p.user_id = v_user;
    IF NOT FOUND THEN
        INSERT INTO donors.presence AS p (user_id, is_available, latitude, longitude, country_code, blood_group, socket_id)
        VALUES (v_user, v_available, v_latitude, v_longitude, v_donor.country_code, v_donor.blood_group, pulse.socket_id())
            ON CONFLICT ON CONSTRAINT presence_pkey DO UPDATE
           SET is_available = excluded.is_available, latitude = excluded.latitude, longitude = excluded.longitude,
               socket_id = excluded.socket_id, updated_at = excluded.updated_at;
    END IF;

    IF v_available THEN
        PERFORM pulse.join('donors:available');
    ELSE
        PERFORM pulse.leave('donors:available');
    END IF;
    RETURN json_build_object('ok', true, 'isAvailable', v_available,
        'expiresAt', CASE WHEN v_available THEN _donors.iso(now() + donors.presence_ttl()) END);
END
$$;
COMMENT ON FUNCTION donors.on_update_presence(json) IS
    'donor:update-presence {isAvailable, latitude, longitude}: {ok, isAvailable, expiresAt}; joins or leaves donors:available';
REVOKE EXECUTE ON FUNCTION donors.on_update_presence(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.on_update_presence(json) TO pulse_client;

CREATE FUNCTION _donors.require_emergency(id text) RETURNS donors.blood_requests
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_request donors.blood_requests;
BEGIN
    IF _donors.to_uuid(require_emergency.id) IS NULL THEN
        PERFORM pulse.fail('invalid', 'the emergency''s id must be a UUID', 'Send the emergencyId of an event, bare or as {"emergencyId":"…"}.');
    END IF;
    SELECT * INTO v_request FROM donors.blood_requests r WHERE r.id = _donors.to_uuid(require_emergency.id);
    IF NOT FOUND THEN
        PERFORM pulse.fail('not_found', format('there is no emergency %s', _donors.to_uuid(require_emergency.id)),
            'It may have been deleted; its id is emergencyId in emergency:created.');
    END IF;
    RETURN v_request;
END
$$;
COMMENT ON FUNCTION _donors.require_emergency(text) IS 'the blood request of an id that a client sent, or an error';

CREATE FUNCTION _donors.emergency_id(args json) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE json_typeof(emergency_id.args -> 0)
           WHEN 'string' THEN emergency_id.args ->> 0
           WHEN 'object' THEN emergency_id.args -> 0 ->> 'emergencyId' END;
END;
COMMENT ON FUNCTION _donors.emergency_id(json) IS 'the id in an event''s arguments: a bare string, or emergencyId of an object';

CREATE FUNCTION donors.on_emergency_join(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user    text := _donors.require_user();
    v_request donors.blood_requests := _donors.require_emergency(_donors.emergency_id(args));
BEGIN
    PERFORM pulse.join('emergency:' || v_request.id);
    IF v_request.requester_id = v_user THEN
        PERFORM pulse.join('emergency:' || v_request.id || ':requester');
    END IF;
    RETURN json_build_object('ok', true, 'emergency', donors.emergency_json(v_request));
END
$$;
COMMENT ON FUNCTION donors.on_emergency_join(json) IS
    'emergency:join id: joins emergency:{id}, the requester emergency:{id}:requester too; {ok, emergency}';
REVOKE EXECUTE ON FUNCTION donors.on_emergency_join(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.on_emergency_join(json) TO pulse_client;

CREATE FUNCTION donors.on_emergency_leave(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user    text := _donors.require_user();
    v_request donors.blood_requests := _donors.require_emergency(_donors.emergency_id(args));
BEGIN
    PERFORM pulse.leave('emergency:' || v_request.id);
    IF v_request.requester_id = v_user THEN
        PERFORM pulse.leave('emergency:' || v_request.id || ':requester');
    END IF;
    RETURN json_build_object('ok', true, 'emergency', donors.emergency_json(v_request));
END
$$;
COMMENT ON FUNCTION donors.on_emergency_leave(json) IS 'emergency:leave id: leaves the rooms of emergency:join; {ok, emergency}';
REVOKE EXECUTE ON FUNCTION donors.on_emergency_leave(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.on_emergency_leave(json) TO pulse_client;

CREATE FUNCTION donors.on_emergency_respond(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user     text := _donors.require_user();
    v_input    json := _donors.require_object(args, '{"emergencyId":"…","status":"accepted","etaMinutes":15}');
    v_request  donors.blood_requests := _donors.require_emergency(v_input ->> 'emergencyId');
    v_eta      integer;
    v_response uuid;
BEGIN
    IF coalesce(v_input ->> 'status', '') NOT IN ('accepted', 'declined') THEN
        PERFORM pulse.fail('invalid', 'status must be accepted or declined', 'Send {"emergencyId":"…","status":"accepted","etaMinutes":15}.');
    END IF;
    IF coalesce(json_typeof(v_input -> 'etaMinutes'), 'null') <> 'null' THEN
        IF v_input ->> 'etaMinutes' !~ '^[0-9]{1,4}$' THEN
            PERFORM pulse.fail('invalid', 'etaMinutes must be a whole number from 0 to 9999', 'Leave it out when it is not known.');
        END IF;
        v_eta := (v_input ->> 'etaMinutes')::integer;
    END IF;
    IF coalesce(json_typeof(v_input -> 'message'), 'null') NOT IN ('null', 'string') OR length(v_input ->> 'message') > 1000 THEN
        PERFORM pulse.fail('invalid', 'message must be a text of at most 1000 characters', 'Leave it out when there is none.');
    END IF;
    IF NOT EXISTS (SELECT FROM donors.donors d WHERE d.user_id = v_user) THEN
        PERFORM pulse.fail('forbidden', 'only donors respond to emergencies', 'Register the user in donors.donors first.');
    END IF;
    SELECT r.id INTO v_response
      FROM donors.blood_request_responses r
     WHERE r.request_id = v_request.id AND r.donor_id = v_user
       AND (r.status, r.eta_minutes, r.message) IS NOT DISTINCT FROM (v_input ->> 'status', v_eta, v_input ->> 'message');
    IF FOUND THEN
        RETURN json_build_object('ok', true, 'responseId', v_response);   -- sent again
    END IF;
    IF v_request.status NOT IN ('open', 'matched') THEN
        PERFORM pulse.fail('conflict', format('the emergency is %s', v_request.status), 'Only open and matched emergencies take responses.');
    END IF;

    -- A second answer corrects the first, under the same id. What happened since (arrived, donated) is not undone by it.
    INSERT INTO donors.blood_request_responses AS r (request_id, donor_id, status, eta_minutes, message)
    VALUES (v_request.id, v_user, v_input ->> 'status', v_eta, v_input ->> 'message')
        ON CONFLICT ON CONSTRAINT blood_request_responses_request_id_donor_id_key DO UPDATE
       SET status = CASE WHEN r.status IN ('arrived', 'donated') THEN r.status ELSE excluded.status END,
           eta_minutes = excluded.eta_minutes, message = excluded.message
    RETURNING r.id INTO v_response;
    RETURN json_build_object('ok', true, 'responseId', v_response);
END
$$;
COMMENT ON FUNCTION donors.on_emergency_respond(json) IS
    'emergency:respond {emergencyId, status, etaMinutes?, message?}: {ok, responseId}; again: the same responseId';
REVOKE EXECUTE ON FUNCTION donors.on_emergency_respond(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.on_emergency_respond(json) TO pulse_client;

-- api/sample.sql
-- Sample data around Mumbai for `make run`, the tutorial and experiments. Nothing in production calls it.

CREATE FUNCTION donors.load_sample() RETURNS json
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_hospitals integer;
    v_donors    integer;
BEGIN
    INSERT INTO donors.hospitals (id, name, country_code, latitude, longitude, emergency)
    VALUES ('5a3e0000-0000-4000-8000-000000000001', 'Sample Hospital Parel', 'IN', 19.0030, 72.8420, true),
           ('5a3e0000-0000-4000-8000-000000000002', 'Sample Hospital Bandra', 'IN', 19.0510, 72.8290, false),
           ('5a3e0000-0000-4000-8000-000000000003', 'Sample Hospital Andheri', 'IN', 19.1310, 72.8260, true)
        ON CONFLICT (id) DO NOTHING;
    INSERT INTO donors.blood_inventory (hospital_id, blood_group, units)
    SELECT h.id, g.blood_group, 2 + 3 * g.n::integer
      FROM donors.hospitals h
     CROSS JOIN unnest(ARRAY['AB-', 'O-', 'A-', 'B-', 'AB+', 'A+', 'B+', 'O+']) WITH ORDINALITY g (blood_group, n)
     WHERE h.id::text LIKE '5a3e0000-0000-4000-8000-%'
        ON CONFLICT (hospital_id, blood_group) DO NOTHING;
    SELECT count(*) INTO v_hospitals FROM donors.hospitals h WHERE h.id::text LIKE '5a3e0000-0000-4000-8000-%';

    -- 120 donors on a spiral around 19.0760, 72.8777, up to 20 km away, groups about as frequent as in India; and three to
    -- play with: asha (O-, 3 km away, can give to all), bilal (AB+, 3 km, can give only to AB+), chitra (O-, in Pune).
    -- Their phone numbers begin with +999, which no country has.
    WITH sample (user_id, name, blood_group, latitude, longitude) AS (
        SELECT 'sample-' || n, 'Sample Donor ' || n,
               (ARRAY['O+', 'B+', 'A+', 'O+', 'B+', 'O+', 'AB+', 'A+', 'B+', 'O+', 'O-', 'A+',
                      'O+', 'B+', 'A+', 'O+', 'B+', 'O+', 'AB-', 'A-', 'B+', 'O+', 'B-', 'A+'])[1 + n % 24],
               19.0760 + sqrt(n / 120.0) * 20 / 111.2 * sin(n * 2.399963),
               72.8777 + sqrt(n / 120.0) * 20 / 105.1 * cos(n * 2.399963)
          FROM generate_series(1, 120) n
        UNION ALL
        VALUES ('asha', 'Asha', 'O-', 19.0550, 72.8600),
               ('bilal', 'Bilal', 'AB+', 19.0990, 72.8900),
               ('chitra', 'Chitra', 'O-', 18.5204, 73.8567)
    ), registered AS (
        INSERT INTO donors.donors (user_id, name, phone, blood_group, country_code)
        SELECT s.user_id, s.name, '+9990000' || lpad((row_number() OVER ())::text, 4, '0'), s.blood_group, 'IN' FROM sample s
            ON CONFLICT (user_id) DO NOTHING
    )
    INSERT INTO donors.presence (user_id, is_available, latitude, longitude, country_code, blood_group)
    SELECT s.user_id, true, s.latitude, s.longitude, 'IN', s.blood_group FROM sample s
        ON CONFLICT (user_id) DO UPDATE
       SET is_available = true, latitude = excluded.latitude, longitude = excluded.longitude, updated_at = now();
    GET DIAGNOSTICS v_donors = ROW_COUNT;
    RETURN json_build_object('hospitals', v_hospitals, 'donors', v_donors);
END
$$;
COMMENT ON FUNCTION donors.load_sample() IS
    'sample hospitals, stock and available donors around Mumbai; again: the same rows, all available from now on';
REVOKE EXECUTE ON FUNCTION donors.load_sample() FROM PUBLIC;

-- schema/triggers.sql
-- Triggers that complete and follow rows. The events of these tables are in schema/events.sql.

CREATE TRIGGER presence_insert_fill BEFORE INSERT ON donors.presence
    FOR EACH ROW WHEN (NEW.blood_group IS NULL OR NEW.country_code IS NULL) EXECUTE FUNCTION _donors.fill_presence();
CREATE TRIGGER donors_update_presence AFTER UPDATE OF blood_group, country_code ON donors.donors
    FOR EACH ROW EXECUTE FUNCTION _donors.follow_donor();
CREATE TRIGGER donors_delete_presence AFTER DELETE ON donors.donors
    FOR EACH ROW EXECUTE FUNCTION _donors.follow_donor();
-- The scripts of pg_dump switch row_security off: a restore brings the waiting job along, and its rows are no news.
CREATE TRIGGER presence_insert_expiry AFTER INSERT ON donors.presence
    FOR EACH STATEMENT WHEN (current_setting('row_security') = 'on') EXECUTE FUNCTION _donors.on_available();
CREATE TRIGGER presence_update_expiry AFTER UPDATE ON donors.presence
    FOR EACH ROW WHEN (NEW.is_available AND NOT OLD.is_available) EXECUTE FUNCTION _donors.on_available();

CREATE TRIGGER hospitals_update_touch BEFORE UPDATE ON donors.hospitals
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION _donors.touch();
CREATE TRIGGER blood_inventory_update_touch BEFORE UPDATE ON donors.blood_inventory
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION _donors.touch();
CREATE TRIGGER blood_requests_update_touch BEFORE UPDATE ON donors.blood_requests
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION _donors.touch();

CREATE TRIGGER blood_inventory_write_fill BEFORE INSERT OR UPDATE OF hospital_id, country_code ON donors.blood_inventory
    FOR EACH ROW EXECUTE FUNCTION _donors.fill_inventory();
CREATE TRIGGER blood_requests_insert_fill BEFORE INSERT ON donors.blood_requests
    FOR EACH ROW WHEN (NEW.hospital_id IS NOT NULL AND NEW.hospital_name IS NULL) EXECUTE FUNCTION _donors.fill_request();
CREATE TRIGGER blood_request_responses_insert_fill BEFORE INSERT ON donors.blood_request_responses
    FOR EACH ROW WHEN (NEW.distance_km IS NULL) EXECUTE FUNCTION _donors.fill_response();

-- Only a new, open request alerts donors; one that a restore loads alerts nobody.
CREATE TRIGGER blood_requests_insert_fan_out AFTER INSERT ON donors.blood_requests
    FOR EACH ROW WHEN (NEW.status = 'open' AND current_setting('row_security') = 'on') EXECUTE FUNCTION _donors.on_request();

-- schema/events.sql
-- Which change of which row is which event, in which rooms, with which payload; docs/reference/donors.md is the same table.
-- No event carries the requester's id or anybody's name, phone or position. Inserts are watched while row_security is on: the
-- scripts of pg_dump switch it off, and rows that a restore loads are no news.

SELECT pulse.watch('donors.blood_requests', 'emergency:created',
    ARRAY['region:{country_code}', 'emergency:{id}', 'donors:available'],
    operations => 'insert', condition => 'current_setting(''row_security'') = ''on''',
    payload => '{"emergencyId":"{id}","bloodGroup":"{blood_group}","urgency":"{urgency}","units":"{units}",
                 "hospitalId?":"{hospital_id}","hospitalName?":"{hospital_name}",
                 "latitude":"{latitude}","longitude":"{longitude}","countryCode":"{country_code}",
                 "status":"{status}","createdAt":"{created_at}"}',
    channel => 'emergency_created', partition_key => '{id}');

SELECT pulse.watch('donors.blood_requests', 'emergency:status-updated',
    ARRAY['emergency:{id}', 'emergency:{id}:requester'],
    operations => 'update', columns => ARRAY['status'],
    payload => '{"emergencyId":"{id}","status":"{status}","previousStatus":"{old.status}","updatedAt":"{updated_at}"}',
    channel => 'emergency_status_update', partition_key => '{id}');

-- An answer that is corrected (withdrawn, arrived …) is told as well: same event, same responseId.
SELECT pulse.watch('donors.blood_request_responses', 'emergency:response',
    ARRAY['emergency:{request_id}', 'emergency:{request_id}:requester'],
    operations => 'insert, update', columns => ARRAY['status'], condition => 'current_setting(''row_security'') = ''on''',
    payload => '{"emergencyId":"{request_id}","responseId":"{id}","donorId":"{donor_id}","status":"{status}",
                 "etaMinutes?":"{eta_minutes}","distanceKm?":"{distance_km}","createdAt":"{created_at}"}',
    channel => 'emergency_response', partition_key => '{request_id}');

SELECT pulse.watch('donors.hospitals', 'hospital:status-updated',
    ARRAY['region:{country_code}'],
    operations => 'update', columns => ARRAY['emergency', 'is_active'],
    payload => '{"hospitalId":"{id}","name":"{name}","emergency":"{emergency}","isActive":"{is_active}",
                 "countryCode":"{country_code}","updatedAt":"{updated_at}"}',
    channel => 'hospital_status_update', partition_key => '{id}');

SELECT pulse.watch('donors.blood_inventory', 'blood_inventory:updated',
    ARRAY['region:{country_code}', 'hospital:{hospital_id}'],
    operations => 'insert, update', condition => 'current_setting(''row_security'') = ''on''',
    payload => '{"hospitalId":"{hospital_id}","bloodGroup":"{blood_group}","units":"{units}","updatedAt":"{updated_at}"}',
    channel => 'blood_inventory_update', partition_key => '{hospital_id}');

-- schema/registrations.sql
-- What the bridge asks this pack: who connects, who joins, what clients send.
SELECT pulse.namespace('/', 'donors.connect');

SELECT pulse.policy('region:{countryCode}', 'join', 'donors.may_join_region');
SELECT pulse.policy('emergency:{id}', 'join', 'donors.may_join_emergency');
SELECT pulse.policy('emergency:{id}:requester', 'join', 'donors.may_join_requester');
SELECT pulse.policy('donors:available', 'join', 'donors.may_join_available');
SELECT pulse.policy('hospital:{id}', 'join', 'donors.may_join_hospital');

SELECT pulse.on('donor:update-presence', 'donors.on_update_presence');
SELECT pulse.on('emergency:join', 'donors.on_emergency_join');
SELECT pulse.on('emergency:leave', 'donors.on_emergency_leave');
SELECT pulse.on('emergency:respond', 'donors.on_emergency_respond');

-- schema/dump.sql
-- What pg_dump carries: every row that people wrote.
SELECT pg_catalog.pg_extension_config_dump('donors.donors', '');
SELECT pg_catalog.pg_extension_config_dump('donors.device_tokens', '');
SELECT pg_catalog.pg_extension_config_dump('donors.presence', '');
SELECT pg_catalog.pg_extension_config_dump('donors.hospitals', '');
SELECT pg_catalog.pg_extension_config_dump('donors.blood_inventory', '');
SELECT pg_catalog.pg_extension_config_dump('donors.blood_requests', '');
SELECT pg_catalog.pg_extension_config_dump('donors.blood_request_responses', '');
SELECT pg_catalog.pg_extension_config_dump('_donors.fan_outs', '');
