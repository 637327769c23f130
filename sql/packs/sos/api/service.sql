-- The SOS service (setting service_url): it is asked whether a case exists and what is known of it, and told what happens in the case. All of
-- it are jobs of the queue sos-service: a change of a case costs one row more and waits for nobody. Jobs of a case run in their order. What
-- they send is made when they are sent: neither the address nor the token (docs/reference/sos.md) is in a table.

-- One part of a path.
CREATE OR REPLACE FUNCTION _sos.path_part(part text) RETURNS text
    LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT coalesce(string_agg(CASE WHEN chr(b.byte) ~ '[A-Za-z0-9_.~-]' AND b.byte < 128 THEN chr(b.byte) ELSE '%' || upper(lpad(to_hex(b.byte), 2, '0')) END,
                               '' ORDER BY b.n), '')
      FROM (SELECT n, get_byte(convert_to(path_part.part, 'UTF8'), n) AS byte FROM generate_series(0, octet_length(convert_to(path_part.part, 'UTF8')) - 1) n) b;
END;
COMMENT ON FUNCTION _sos.path_part(text) IS 'a text as one part of the path of an address';

CREATE OR REPLACE FUNCTION _sos.service_url() RETURNS text
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT nullif(rtrim(btrim(pulse.setting('sos', 'service_url')), '/'), '');
END;
COMMENT ON FUNCTION _sos.service_url() IS 'setting sos.service_url without a slash at its end; null: there is no service';

-- sos.verify(sos_id text)
-- Asks the service about a case (again). Null when there is no service.
CREATE OR REPLACE FUNCTION sos.verify(sos_id text) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pulse.enqueue('sos-service', 'sos_verify', json_build_object('sosId', verify.sos_id), timeout => '10 s', on_end => '_sos.verified',
        unique_key => 'sos.verify:' || verify.sos_id, partition_key => verify.sos_id)
     WHERE _sos.service_url() IS NOT NULL
$$;
COMMENT ON FUNCTION sos.verify(text) IS 'a job that asks the SOS service about a case; its id, null without a service';
REVOKE EXECUTE ON FUNCTION sos.verify(text) FROM PUBLIC;

-- A case "." or ".." would be another path.
CREATE OR REPLACE FUNCTION _sos.verify_request(args json) RETURNS json
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT json_build_object('method', 'GET', 'url', _sos.service_url() || '/internal/sos/' || _sos.path_part(verify_request.args ->> 'sosId'),
                             'headers', json_build_object('Accept', 'application/json'), 'final', '[404]'::json, 'keep', 65536)
     WHERE _sos.service_url() IS NOT NULL AND verify_request.args ->> 'sosId' NOT IN ('.', '..');
END;
COMMENT ON FUNCTION _sos.verify_request(json) IS 'kind sos_verify: GET {service_url}/internal/sos/{sosId}; nothing without a service';

-- What it says of a case counts, also over what a client has said before. No answer says nothing.
CREATE OR REPLACE FUNCTION _sos.verified(job json) RETURNS json
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_id      text := verified.job #>> '{args,sosId}';
    v_body    json := verified.job #> '{result,body}';
    v_known   boolean := CASE WHEN verified.job ->> 'state' = 'completed' THEN true
                              WHEN verified.job ->> 'state' = 'discarded' AND verified.job #>> '{result,status}' IN ('404', '410') THEN false END;
BEGIN
    IF v_known IS NULL THEN
        RETURN json_build_object('verified', NULL);
    END IF;
    UPDATE sos.cases c
       SET verified = v_known, verified_at = clock_timestamp(), details = CASE WHEN v_known AND json_typeof(v_body) = 'object' THEN v_body ELSE c.details END
     WHERE c.id = v_id;
    RETURN json_build_object('verified', v_known, 'details', v_known AND json_typeof(v_body) = 'object');
END
$$;
COMMENT ON FUNCTION _sos.verified(json) IS 'on_end of a verification: whether the SOS service knows the case, and its details';

-- data is what the room hears. eventId is the same in every attempt.
CREATE OR REPLACE FUNCTION _sos.tell(event text, sos_id text, data json, at timestamptz) RETURNS bigint
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pulse.enqueue('sos-service', 'sos_tell',
        json_build_object('event', tell.event, 'sosId', tell.sos_id, 'data', tell.data, 'timestamp', pulse.iso8601(tell.at),
                          'eventId', gen_random_uuid()),
        timeout => '10 s', partition_key => tell.sos_id)
     WHERE _sos.service_url() IS NOT NULL
$$;
COMMENT ON FUNCTION _sos.tell(text, text, json, timestamptz) IS 'a job that tells the SOS service of an event of a case; null without a service';

CREATE OR REPLACE FUNCTION _sos.tell_request(args json) RETURNS json
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT json_build_object('url', _sos.service_url() || '/internal/realtime/event', 'body', tell_request.args, 'final', '[400, 413, 422]'::json)
     WHERE _sos.service_url() IS NOT NULL
       AND NOT EXISTS (SELECT FROM sos.cases c WHERE c.id = tell_request.args ->> 'sosId' AND NOT c.verified);
END;
COMMENT ON FUNCTION _sos.tell_request(json) IS 'kind sos_tell: POST {service_url}/internal/realtime/event; nothing without a service, or of a case that it does not know';

CREATE OR REPLACE FUNCTION _sos.on_opened() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM sos.verify(NEW.id);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _sos.on_opened() IS 'trigger: the SOS service is asked about a new case';

CREATE OR REPLACE FUNCTION _sos.tell_status() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM _sos.tell('sos:status:broadcast', NEW.id, (jsonb_build_object('sosId', NEW.id, 'status', NEW.status,
        'previousStatus', CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END, 'updatedBy', NEW.updated_by, 'role', NEW.updated_role,
        'updatedAt', pulse.iso8601(NEW.updated_at)) || jsonb_strip_nulls(jsonb_build_object('note', NEW.note)))::json, NEW.updated_at);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _sos.tell_status() IS 'trigger: the SOS service is told of the status of a case';

CREATE OR REPLACE FUNCTION _sos.tell_message() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM _sos.tell('message:broadcast', NEW.case_id, json_build_object('sosId', NEW.case_id, 'messageId', NEW.id, 'from', NEW.user_id, 'role', NEW.role,
        'message', NEW.message, 'createdAt', pulse.iso8601(NEW.created_at)), NEW.created_at);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _sos.tell_message() IS 'trigger: the SOS service is told of a message';

CREATE OR REPLACE FUNCTION _sos.tell_position() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM _sos.tell('location:broadcast', NEW.case_id, json_strip_nulls(json_build_object('sosId', NEW.case_id, 'userId', NEW.user_id,
        'role', (SELECT p.role FROM sos.participants p WHERE p.case_id = NEW.case_id AND p.user_id = NEW.user_id), 'latitude', NEW.latitude,
        'longitude', NEW.longitude, 'accuracy', NEW.accuracy, 'heading', NEW.heading, 'speed', NEW.speed, 'timestamp', pulse.iso8601(NEW.at))), NEW.at);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _sos.tell_position() IS 'trigger: the SOS service is told of a position that is kept';
