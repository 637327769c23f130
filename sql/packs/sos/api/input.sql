-- What clients send, checked. A refusal raises an error of class PL with a hint, which the client gets in its ack or answer.

CREATE OR REPLACE FUNCTION _sos.role() RETURNS text
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(nullif(pulse.claim('role'), ''), 'citizen');
END;
COMMENT ON FUNCTION _sos.role() IS 'the claim role; citizen without one';

-- The case that an input is about: its sosId, else that of the token.
CREATE OR REPLACE FUNCTION _sos.sos_id(input json) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_id text := coalesce(pulse.input_text(sos_id.input, 'sosId', 200), pulse.claim('sosId'));
BEGIN
    IF v_id IS NULL OR v_id = '' OR octet_length(v_id) > 200 OR octet_length(pulse.room_part(v_id)) > 240 OR v_id ~ '[[:cntrl:]]' THEN
        PERFORM pulse.fail('invalid', 'sosId must be the id of a case', 'Send {"sosId":"…"}, or come with a token that has the claim sosId.');
    END IF;
    RETURN v_id;
END
$$;
COMMENT ON FUNCTION _sos.sos_id(json) IS 'sosId of a client''s input, else of its token, or an error';

CREATE OR REPLACE FUNCTION _sos.status(input json) RETURNS text
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.input_choice(status.input, 'status', '{open,assigned,en_route,on_scene,resolved,closed,cancelled}', true);
END;
COMMENT ON FUNCTION _sos.status(json) IS 'status of an input, or an error';
