-- Who may be in which room. user:{userId} is the engine's own. A policy answers from the verified claims and the tables;
-- what no policy allows is denied.

CREATE OR REPLACE FUNCTION _donors.country_of(claims json) RETURNS text
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(substring(country_of.claims ->> 'countryCode' FROM '^[A-Z]{2}$'),
                    (SELECT d.country_code FROM donors.donors d WHERE d.user_id = pulse.user_id()));
END;
COMMENT ON FUNCTION _donors.country_of(json) IS 'the country of a user: the claim, else the donor''s row';

CREATE OR REPLACE FUNCTION donors.connect(claims json) RETURNS json
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

CREATE OR REPLACE FUNCTION donors.may_join_region(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(_donors.country_of(may_join_region.claims) = may_join_region.params ->> 'countryCode', false)
$$;
COMMENT ON FUNCTION donors.may_join_region(json, text, json) IS 'policy: region:{countryCode} for users of that country';
REVOKE EXECUTE ON FUNCTION donors.may_join_region(json, text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.may_join_region(json, text, json) TO pulse_client;

CREATE OR REPLACE FUNCTION donors.may_join_emergency(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pulse.user_id() IS NOT NULL
       AND EXISTS (SELECT FROM donors.blood_requests r WHERE r.id = pulse.to_uuid(may_join_emergency.params ->> 'id'))
$$;
COMMENT ON FUNCTION donors.may_join_emergency(json, text, json) IS 'policy: emergency:{id} for every known user, when it exists';
REVOKE EXECUTE ON FUNCTION donors.may_join_emergency(json, text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.may_join_emergency(json, text, json) TO pulse_client;

CREATE OR REPLACE FUNCTION donors.may_join_requester(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM donors.blood_requests r
                    WHERE r.id = pulse.to_uuid(may_join_requester.params ->> 'id')
                      AND r.requester_id = pulse.user_id())
$$;
COMMENT ON FUNCTION donors.may_join_requester(json, text, json) IS 'policy: emergency:{id}:requester for the requester alone';
REVOKE EXECUTE ON FUNCTION donors.may_join_requester(json, text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.may_join_requester(json, text, json) TO pulse_client;

CREATE OR REPLACE FUNCTION donors.may_join_available(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(_donors.is_available(pulse.user_id()), false)
$$;
COMMENT ON FUNCTION donors.may_join_available(json, text, json) IS 'policy: donors:available for donors who are';
REVOKE EXECUTE ON FUNCTION donors.may_join_available(json, text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.may_join_available(json, text, json) TO pulse_client;

CREATE OR REPLACE FUNCTION donors.may_join_hospital(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pulse.user_id() IS NOT NULL
       AND EXISTS (SELECT FROM donors.hospitals h WHERE h.id = pulse.to_uuid(may_join_hospital.params ->> 'id'))
$$;
COMMENT ON FUNCTION donors.may_join_hospital(json, text, json) IS 'policy: hospital:{id} for every known user, when it exists';
REVOKE EXECUTE ON FUNCTION donors.may_join_hospital(json, text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION donors.may_join_hospital(json, text, json) TO pulse_client;
