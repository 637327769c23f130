-- Opening a case and changing its status, for clients and for the SOS service alike.

-- True when it was opened now. An expired case keeps its rows under another id, so that the id is free: what comes is a new case.
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
        PERFORM pulse.evict(_sos.room(v_case.id), reason => 'expired') WHERE v_case.emptied_at IS NULL;
        UPDATE sos.cases c SET id = left(c.id, 150) || '@' || pulse.iso8601(c.created_at), emptied_at = coalesce(c.emptied_at, clock_timestamp())
         WHERE c.id = v_case.id;
    END IF;
    INSERT INTO sos.cases (id, citizen_id, latitude, longitude, details, updated_by, updated_role)
    VALUES (open_case.sos_id, open_case.citizen_id, open_case.latitude, open_case.longitude, open_case.details, open_case.opened_by, open_case.opened_role)
        ON CONFLICT ON CONSTRAINT cases_pkey DO NOTHING;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION _sos.open_case(text, text, double precision, double precision, json, text, text) IS 'opens a case; whether it was not there yet';

CREATE OR REPLACE FUNCTION _sos.set_status(sos_id text, status text, note text, changed_by text, changed_role text) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE sos.cases c
       SET status = set_status.status, note = set_status.note, updated_by = set_status.changed_by, updated_role = set_status.changed_role,
           updated_at = clock_timestamp()
     WHERE c.id = set_status.sos_id AND c.status <> set_status.status
$$;
COMMENT ON FUNCTION _sos.set_status(text, text, text, text, text) IS 'gives a case another status; the same one again changes nothing';
