-- A caregiver comes and goes.

CREATE OR REPLACE FUNCTION _care.shift_json(shift care.shifts) RETURNS json
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT json_strip_nulls(json_build_object(
        'shiftId', (shift_json.shift).id, 'familyId', (shift_json.shift).family_id, 'caregiverId', (shift_json.shift).caregiver_id,
        'careRecipientId', (shift_json.shift).care_recipient_id,
        'startsAt', pulse.iso8601((shift_json.shift).starts_at), 'endsAt', pulse.iso8601((shift_json.shift).ends_at),
        'startTime', pulse.iso8601((shift_json.shift).started_at), 'endTime', pulse.iso8601((shift_json.shift).ended_at)));
END;
COMMENT ON FUNCTION _care.shift_json(care.shifts) IS 'a shift as clients read it';

CREATE OR REPLACE FUNCTION _care.require_shift(shift_id text) RETURNS care.shifts
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_shift care.shifts;
BEGIN
    SELECT * INTO v_shift FROM care.shifts s WHERE s.id = require_shift.shift_id;
    PERFORM _care.require_member(v_shift.family_id);
    PERFORM _care.lock_family(v_shift.family_id);
    SELECT * INTO v_shift FROM care.shifts s WHERE s.id = require_shift.shift_id FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM pulse.fail('not_found', 'the shift is gone');
    ELSIF v_shift.caregiver_id <> pulse.user_id() THEN
        PERFORM pulse.fail('forbidden', 'this is the shift of somebody else');
    END IF;
    RETURN v_shift;
END
$$;
COMMENT ON FUNCTION _care.require_shift(text) IS 'a shift of the user of this call, locked, or an error';

CREATE OR REPLACE FUNCTION care.post_shift_start(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_shift care.shifts := _care.require_shift(request -> 'params' ->> 'id');
BEGIN
    IF v_shift.started_at IS NULL THEN
        UPDATE care.shifts s SET started_at = clock_timestamp() WHERE s.id = v_shift.id RETURNING * INTO v_shift;
    END IF;
    RETURN _care.shift_json(v_shift);
END
$$;
COMMENT ON FUNCTION care.post_shift_start(json) IS 'POST /api/v1/care/shifts/{id}/start: shift; again the same';
REVOKE EXECUTE ON FUNCTION care.post_shift_start(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.post_shift_start(json) TO pulse_client;

CREATE OR REPLACE FUNCTION care.post_shift_end(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_shift care.shifts := _care.require_shift(request -> 'params' ->> 'id');
BEGIN
    IF v_shift.started_at IS NULL THEN
        PERFORM pulse.fail('conflict', 'the shift has not begun', 'Start it first.');
    ELSIF v_shift.ended_at IS NULL THEN
        UPDATE care.shifts s SET ended_at = clock_timestamp() WHERE s.id = v_shift.id RETURNING * INTO v_shift;
    END IF;
    RETURN _care.shift_json(v_shift);
END
$$;
COMMENT ON FUNCTION care.post_shift_end(json) IS 'POST /api/v1/care/shifts/{id}/end: shift; again the same';
REVOKE EXECUTE ON FUNCTION care.post_shift_end(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.post_shift_end(json) TO pulse_client;
