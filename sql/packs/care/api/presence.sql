-- What members say of themselves: online, away, offline.

CREATE OR REPLACE FUNCTION care.on_presence_update(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_input json := _care.require_object(args -> 0, '{"status":"away"}');
    v_user  text := pulse.user_id();
    v_rooms text[];
BEGIN
    IF v_user IS NULL THEN
        PERFORM pulse.fail('unauthenticated', 'this needs a user', 'Come with a token that has the claim userId or sub.');
    ELSIF coalesce(v_input ->> 'status', '') NOT IN ('online', 'away', 'offline') THEN
        PERFORM pulse.fail('invalid', 'status must be online, away or offline', 'Send {"status":"away"}.');
    END IF;
    SELECT array_agg(_care.room(m.family_id)) INTO v_rooms FROM care.members m WHERE m.user_id = v_user AND m.left_at IS NULL;
    IF v_rooms IS NULL THEN
        PERFORM pulse.fail('forbidden', 'Not a family member');
    END IF;
    PERFORM pulse.publish(v_rooms, 'presence:update',
        json_build_object('userId', v_user, 'status', v_input ->> 'status', 'lastSeen', _care.iso(clock_timestamp())));
    RETURN json_build_object('ok', true);
END
$$;
COMMENT ON FUNCTION care.on_presence_update(json) IS 'presence:update {status}: told to every family of the user; {ok}';
REVOKE EXECUTE ON FUNCTION care.on_presence_update(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.on_presence_update(json) TO pulse_client;
