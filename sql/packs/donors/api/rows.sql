-- Trigger functions that complete rows before they are written, so that an INSERT needs only what the caller knows.
-- They look up other tables as the owner: who may write a request need not be able to read hospitals or positions.

-- Jobs of these triggers are the owner's, whoever writes the row. In C, like pulse.enqueue_row: it looks no name up by a search_path.
CREATE OR REPLACE FUNCTION _donors.enqueue_row() RETURNS trigger
    LANGUAGE c SECURITY DEFINER
    AS '$libdir/pulse', 'pulse_enqueue_row';
COMMENT ON FUNCTION _donors.enqueue_row() IS 'trigger: stores a job of the pack for a row';
REVOKE EXECUTE ON FUNCTION _donors.enqueue_row() FROM PUBLIC;

CREATE OR REPLACE FUNCTION _donors.touch() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _donors.touch() IS 'trigger: updated_at of a changed row, unless the UPDATE sets it';

CREATE OR REPLACE FUNCTION _donors.fill_presence() RETURNS trigger
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

CREATE OR REPLACE FUNCTION _donors.fill_inventory() RETURNS trigger
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

CREATE OR REPLACE FUNCTION _donors.fill_request() RETURNS trigger
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
CREATE OR REPLACE FUNCTION _donors.metres(a geography, b geography) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT ST_Distance(metres.a, metres.b);
END;
COMMENT ON FUNCTION _donors.metres(geography, geography) IS 'the geodesic distance of two positions';

CREATE OR REPLACE FUNCTION _donors.geo_point(latitude double precision, longitude double precision) RETURNS geography
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT ST_SetSRID(ST_MakePoint(geo_point.longitude, geo_point.latitude), 4326)::geography;
END;
COMMENT ON FUNCTION _donors.geo_point(double precision, double precision) IS 'a position for PostGIS';

CREATE OR REPLACE FUNCTION _donors.fill_response() RETURNS trigger
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

CREATE OR REPLACE FUNCTION _donors.follow_donor() RETURNS trigger
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
