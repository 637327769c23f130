-- Devices that push messages go to, and reports of SMS providers. docs/reference/fcm.md and sms.md.

-- pulse.register_device(user_id text, token text, platform text)
-- A token is one device's: who registers it last has it.
CREATE OR REPLACE FUNCTION pulse.register_device(user_id text, token text, platform text) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF user_id IS NULL OR user_id = '' OR token IS NULL OR octet_length(token) NOT BETWEEN 1 AND 4096 THEN
        RAISE EXCEPTION 'a device has a user and a token of 1 to 4096 bytes' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'The token is what the push service gave to the device.';
    ELSIF platform IS NULL OR platform NOT IN ('android', 'ios', 'web') THEN
        RAISE EXCEPTION 'unknown platform "%"', platform USING ERRCODE = 'invalid_parameter_value', HINT = 'Platforms: android, ios, web.';
    END IF;
    INSERT INTO _pulse.devices AS d (token, user_id, platform) VALUES (register_device.token, register_device.user_id, register_device.platform)
        ON CONFLICT ON CONSTRAINT devices_pkey DO UPDATE
       SET user_id = excluded.user_id, platform = excluded.platform, last_used_at = excluded.last_used_at,
           created_at = CASE WHEN d.user_id = excluded.user_id THEN d.created_at ELSE excluded.created_at END;
END
$$;
COMMENT ON FUNCTION pulse.register_device(text, text, text) IS 'remembers the push token of a user''s device, or that it is still used';
REVOKE ALL ON FUNCTION pulse.register_device(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.register_device(text, text, text) TO pulse_publisher;

-- pulse.remove_device(token text, user_id text default null) returns boolean
CREATE OR REPLACE FUNCTION pulse.remove_device(token text, user_id text DEFAULT NULL) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH gone AS (DELETE FROM _pulse.devices d WHERE d.token = remove_device.token
                     AND d.user_id = coalesce(remove_device.user_id, d.user_id) RETURNING 1)
    SELECT EXISTS (SELECT FROM gone);
END;
COMMENT ON FUNCTION pulse.remove_device(text, text) IS 'forgets a push token, when it is this user''s; whether it was there';
REVOKE ALL ON FUNCTION pulse.remove_device(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.remove_device(text, text) TO pulse_publisher;

-- pulse.devices(user_id text) returns table (token, platform, created_at, last_used_at)
CREATE OR REPLACE FUNCTION pulse.devices(user_id text) RETURNS TABLE (token text, platform text, created_at timestamptz, last_used_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 3 SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT d.token, d.platform, d.created_at, d.last_used_at FROM _pulse.devices d WHERE d.user_id = devices.user_id
     ORDER BY d.last_used_at DESC, d.token;
END;
COMMENT ON FUNCTION pulse.devices(text) IS 'the devices of a user, the one used last first';
REVOKE ALL ON FUNCTION pulse.devices(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.devices(text) TO pulse_publisher;

-- pulse.push(user_id text, message json, queue text default 'push', …) returns bigint
-- One job of kind fcm for each device of the user, as the caller's role; how many.
CREATE OR REPLACE FUNCTION pulse.push(user_id text, message json, queue text DEFAULT 'push', priority integer DEFAULT 0, run_at timestamptz DEFAULT now(),
    max_attempts integer DEFAULT NULL, timeout interval DEFAULT '30 s', on_end text DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_messages json[];
BEGIN
    IF json_typeof(message) IS DISTINCT FROM 'object' OR message -> 'token' IS NOT NULL OR message -> 'topic' IS NOT NULL
        OR message -> 'condition' IS NOT NULL OR message -> 'message' IS NOT NULL THEN
        RAISE EXCEPTION 'message is no JSON object without a target of its own' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Like {"notification": {"title": "…"}, "urgent": true}; each device''s token is added.';
    END IF;
    SELECT array_agg((message::jsonb || jsonb_build_object('token', d.token))::json) INTO v_messages FROM pulse.devices(push.user_id) d;
    IF v_messages IS NULL THEN
        RETURN 0;
    END IF;
    RETURN pulse.enqueue_many(queue, 'fcm', v_messages, priority => priority, run_at => run_at, max_attempts => max_attempts,
        timeout => timeout, on_end => on_end);
END
$$;
COMMENT ON FUNCTION pulse.push(text, json, text, integer, timestamptz, integer, interval, text) IS 'enqueues a push message for each device of a user; how many there are';
REVOKE ALL ON FUNCTION pulse.push(text, json, text, integer, timestamptz, integer, interval, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.push(text, json, text, integer, timestamptz, integer, interval, text) TO pulse_publisher;

-- pulse.sms_reports: the last report about each message
CREATE OR REPLACE VIEW pulse.sms_reports AS
    SELECT r.job_id, r.sid, r.status, r.error_code, r.reported_at FROM _pulse.sms_reports r;
COMMENT ON VIEW pulse.sms_reports IS 'what SMS providers reported last about messages';
GRANT SELECT ON pulse.sms_reports TO pulse_admin;

-- _pulse.read_sms_report(job text, form text, signature text) returns json
-- The parameters of a report that a provider with one of our accounts signed for this job; null: nobody did.
CREATE OR REPLACE FUNCTION _pulse.read_sms_report(job text, form text, signature text) RETURNS json
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'pulse_read_sms_report';
COMMENT ON FUNCTION _pulse.read_sms_report(text, text, text) IS 'the parameters of a rightly signed report of an SMS provider; null for any other';
REVOKE ALL ON FUNCTION _pulse.read_sms_report(text, text, text) FROM PUBLIC;

-- _pulse.sms_state_rank(status text) returns integer
-- Reports overtake each other: what comes later in a message's life counts.
CREATE OR REPLACE FUNCTION _pulse.sms_state_rank(status text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE status WHEN 'queued' THEN 1 WHEN 'sending' THEN 2 WHEN 'sent' THEN 3 WHEN 'delivered' THEN 4 WHEN 'undelivered' THEN 4
                       WHEN 'failed' THEN 4 WHEN 'canceled' THEN 4 WHEN 'read' THEN 5 ELSE 0 END;
END;
COMMENT ON FUNCTION _pulse.sms_state_rank(text) IS 'which of two states of a message is the later one';
REVOKE ALL ON FUNCTION _pulse.sms_state_rank(text) FROM PUBLIC;

-- pulse.sms_status(request json) returns json
-- The function of the route that pulse.sms_status_url leads to.
CREATE OR REPLACE FUNCTION pulse.sms_status(request json) RETURNS json
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_job    text := request -> 'query' ->> 'job';
    v_report json := _pulse.read_sms_report(v_job, request ->> 'body', request -> 'headers' ->> 'x-twilio-signature');
BEGIN
    IF v_report IS NULL OR v_job !~ '^[0-9]{1,18}$' THEN
        PERFORM pulse.fail('forbidden', 'this report has no good signature');
    ELSIF coalesce(v_report ->> 'MessageSid', '') = '' OR coalesce(v_report ->> 'MessageStatus', '') = '' THEN
        PERFORM pulse.fail('invalid', 'this report has no MessageSid and MessageStatus');
    END IF;
    INSERT INTO _pulse.sms_reports AS r (sid, job_id, status, error_code)
        VALUES (v_report ->> 'MessageSid', v_job::bigint, v_report ->> 'MessageStatus', substring(v_report ->> 'ErrorCode' FROM '^[0-9]{1,9}$')::integer)
        ON CONFLICT ON CONSTRAINT sms_reports_pkey DO UPDATE
       SET status = excluded.status, error_code = coalesce(excluded.error_code, r.error_code), reported_at = excluded.reported_at
     WHERE _pulse.sms_state_rank(excluded.status) >= _pulse.sms_state_rank(r.status);
    DELETE FROM _pulse.sms_reports r WHERE r.sid IN (SELECT o.sid FROM _pulse.sms_reports o WHERE o.reported_at < clock_timestamp() - interval '30 days'
                                                     ORDER BY o.reported_at LIMIT 10 FOR UPDATE SKIP LOCKED);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pulse.sms_status(json) IS 'a route''s function: takes a report of an SMS provider';
REVOKE ALL ON FUNCTION pulse.sms_status(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.sms_status(json) TO pulse_client;
