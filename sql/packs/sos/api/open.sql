-- Opening a case and changing its status, for clients and for the SOS service alike.

-- True when it was opened now. What an open case does not know yet, where or about what it is, is filled in. An expired case keeps its
-- rows under another id, so that the id is free: what comes is a new case.
CREATE OR REPLACE FUNCTION _sos.open_case(
    sos_id text, citizen_id text, latitude double precision, longitude double precision, details json, opened_by text, opened_role text)
    RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_case sos.cases;
BEGIN
    SELECT * INTO v_case FROM sos.cases c WHERE c.id = open_case.sos_id FOR UPDATE;
    IF FOUND AND _sos.live_until(v_case) <= clock_timestamp() THEN
        UPDATE sos.cases c   -- who is in its room is put out of it by cases_update_moved
           SET id = CASE WHEN octet_length(pulse.room_part(c.id)) <= 170 THEN c.id ELSE md5(c.id) END || '@' || pulse.iso8601(c.created_at),
               emptied_at = coalesce(c.emptied_at, clock_timestamp())
         WHERE c.id = v_case.id;
    END IF;
    INSERT INTO sos.cases (id, citizen_id, latitude, longitude, details, updated_by, updated_role)
    VALUES (open_case.sos_id, open_case.citizen_id, open_case.latitude, open_case.longitude, open_case.details, open_case.opened_by, open_case.opened_role)
        ON CONFLICT ON CONSTRAINT cases_pkey DO NOTHING;
    IF FOUND THEN
        RETURN true;
    END IF;
    UPDATE sos.cases c
       SET latitude = coalesce(c.latitude, open_case.latitude), longitude = coalesce(c.longitude, open_case.longitude),
           details = coalesce(c.details, open_case.details)
     WHERE c.id = open_case.sos_id AND c.citizen_id = open_case.citizen_id AND c.closed_at IS NULL
       AND (c.latitude IS NULL AND open_case.latitude IS NOT NULL OR c.longitude IS NULL AND open_case.longitude IS NOT NULL
            OR c.details IS NULL AND open_case.details IS NOT NULL);
    RETURN false;
END
$$;
COMMENT ON FUNCTION _sos.open_case(text, text, double precision, double precision, json, text, text) IS 'opens a case; whether it was not there yet';

-- Under the lock of the case: of a status and a close at the same moment the close is the last.
CREATE OR REPLACE FUNCTION _sos.set_status(sos_id text, status text, note text, changed_by text, changed_role text) RETURNS sos.cases
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_case sos.cases;
BEGIN
    SELECT * INTO v_case FROM sos.cases c WHERE c.id = set_status.sos_id FOR NO KEY UPDATE;
    IF v_case.closed_at IS NOT NULL AND set_status.status <> 'closed' THEN
        PERFORM pulse.fail('conflict', 'the case is closed');
    ELSIF v_case.status <> set_status.status THEN
        UPDATE sos.cases c
           SET status = set_status.status, note = set_status.note, updated_by = set_status.changed_by, updated_role = set_status.changed_role,
               updated_at = clock_timestamp()
         WHERE c.id = v_case.id
        RETURNING * INTO v_case;
    END IF;
    RETURN v_case;
END
$$;
COMMENT ON FUNCTION _sos.set_status(text, text, text, text, text) IS 'gives a case another status, unless it is closed; the same one again changes nothing';
