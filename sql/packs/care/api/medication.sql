-- A dose is logged once. Two caregivers who log it at the same moment wait for each other: one has it, the other is told by whom it was.

CREATE OR REPLACE FUNCTION care.post_medication_log(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_input      json := pulse.input_object(request -> 'body', '{"medicationId":"…","scheduledFor":"2026-01-05T08:00:00Z"}');
    v_medication text := pulse.input_text(v_input, 'medicationId', 200, true);
    v_at         timestamptz := pulse.input_time(v_input, 'scheduledFor', true);
    v_note       text := pulse.input_text(v_input, 'note', 2000);
    v_log        care.medication_logs;
BEGIN
    PERFORM _care.require_member((SELECT r.family_id FROM care.medications m JOIN care.care_recipients r ON r.id = m.care_recipient_id WHERE m.id = v_medication));
    INSERT INTO care.medication_logs (medication_id, scheduled_for, logged_by, note) VALUES (v_medication, v_at, pulse.user_id(), v_note)
        ON CONFLICT ON CONSTRAINT medication_logs_medication_id_scheduled_for_key DO NOTHING
    RETURNING * INTO v_log;
    IF v_log.id IS NULL THEN
        SELECT * INTO v_log FROM care.medication_logs l WHERE l.medication_id = v_medication AND l.scheduled_for = v_at;
        PERFORM pulse.fail('conflict', 'dose already logged', NULL,
            json_build_object('loggedBy', v_log.logged_by, 'loggedAt', pulse.iso8601(v_log.logged_at)));
    END IF;
    RETURN pulse.http_response(201, json_strip_nulls(json_build_object(
        'logId', v_log.id, 'medicationId', v_log.medication_id, 'careRecipientId', v_log.care_recipient_id, 'familyId', v_log.family_id,
        'scheduledFor', pulse.iso8601(v_log.scheduled_for), 'loggedBy', v_log.logged_by, 'loggedAt', pulse.iso8601(v_log.logged_at), 'note', v_log.note)));
END
$$;
COMMENT ON FUNCTION care.post_medication_log(json) IS
    'POST /api/v1/care/medication-logs {medicationId, scheduledFor, note?}: 201 log; a dose that is logged already 409 with loggedBy and loggedAt';
REVOKE EXECUTE ON FUNCTION care.post_medication_log(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.post_medication_log(json) TO pulse_client;
