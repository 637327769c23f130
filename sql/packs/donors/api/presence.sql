-- Availability of one donor, and its end by time.

CREATE OR REPLACE FUNCTION _donors.is_available(user_id text) RETURNS boolean
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM donors.presence p
                    WHERE p.user_id = is_available.user_id AND p.is_available AND p.updated_at > now() - donors.presence_ttl());
END;
COMMENT ON FUNCTION _donors.is_available(text) IS 'whether the donor is available now';

-- The search ignores rows older than the setting donors.presence_ttl at once. This job takes them out of its indexes, so that
-- donors who just vanished do not pile up there. It runs while somebody is available, and arms itself again.
CREATE OR REPLACE FUNCTION donors.expire_presence(args json DEFAULT NULL) RETURNS json
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

CREATE OR REPLACE FUNCTION _donors.arm_expiry() RETURNS bigint
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pulse.enqueue('donors', 'sql', '{"function":"donors.expire_presence","args":{}}'::json,
        priority => 10, run_at => now() + least(donors.presence_ttl() / 4, interval '5 min'), unique_key => 'donors.expire_presence')
$$;
COMMENT ON FUNCTION _donors.arm_expiry() IS 'sees to it that donors.expire_presence runs; once, however often it is called';

CREATE OR REPLACE FUNCTION _donors.on_available() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM _donors.arm_expiry();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _donors.on_available() IS 'trigger: somebody became available';
