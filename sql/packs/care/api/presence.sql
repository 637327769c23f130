-- What members say of themselves: online, away, offline.

CREATE OR REPLACE FUNCTION care.on_presence_update(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_input  json := pulse.input_object(args -> 0, '{"status":"away"}');
    v_user   text := pulse.require_user();
    v_status text := pulse.input_choice(v_input, 'status', '{online,away,offline}', true);
    v_rooms  text[];
BEGIN
    SELECT array_agg(_care.room(m.family_id)) INTO v_rooms FROM care.members m WHERE m.user_id = v_user AND m.left_at IS NULL;
    IF v_rooms IS NULL THEN
        PERFORM pulse.fail('forbidden', 'Not a family member');
    END IF;
    PERFORM pulse.publish(v_rooms, 'presence:update',
        json_build_object('userId', v_user, 'status', v_status, 'lastSeen', pulse.iso8601(clock_timestamp())));
    RETURN json_build_object('ok', true);
END
$$;
COMMENT ON FUNCTION care.on_presence_update(json) IS 'presence:update {status}: told to every family of the user; {ok}';
REVOKE EXECUTE ON FUNCTION care.on_presence_update(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.on_presence_update(json) TO pulse_client;
