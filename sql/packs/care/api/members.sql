-- Who may be in family:{familyId}: its members, asked in the table each time.

CREATE OR REPLACE FUNCTION _care.is_member(family_id text) RETURNS boolean
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM care.members m WHERE m.family_id = is_member.family_id AND m.user_id = pulse.user_id() AND m.left_at IS NULL);
END;
COMMENT ON FUNCTION _care.is_member(text) IS 'whether the user of this call belongs to a family';

-- One answer for a family of others and for one that is not there.
CREATE OR REPLACE FUNCTION _care.require_member(family_id text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pulse.require_user();
    IF NOT _care.is_member(require_member.family_id) THEN
        PERFORM pulse.fail('forbidden', 'Not a family member');
    END IF;
    RETURN pulse.user_id();
END
$$;
COMMENT ON FUNCTION _care.require_member(text) IS 'the user of this call when it belongs to the family, or an error';

CREATE OR REPLACE FUNCTION care.may_join(claims json, room text, params json) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM _care.require_member(params ->> 'familyId');
    RETURN true;
END
$$;
COMMENT ON FUNCTION care.may_join(json, text, json) IS 'policy: family:{familyId} for the members of the family';
REVOKE EXECUTE ON FUNCTION care.may_join(json, text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.may_join(json, text, json) TO pulse_client;

-- Members hear who comes and goes by the engine's presence:join and presence:leave; what somebody says of himself is presence:update.
CREATE OR REPLACE FUNCTION care.connect(claims json) RETURNS json
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_rooms text[] := ARRAY(SELECT _care.room(m.family_id) FROM care.members m WHERE m.user_id = pulse.user_id() AND m.left_at IS NULL ORDER BY m.family_id);
BEGIN
    PERFORM pulse.track(r.room) FROM unnest(v_rooms) r (room);
    RETURN json_build_object('rooms', to_json(v_rooms));
END
$$;
COMMENT ON FUNCTION care.connect(json) IS 'connect: joins family:{id} of every family that the user belongs to';
REVOKE EXECUTE ON FUNCTION care.connect(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.connect(json) TO pulse_client;
