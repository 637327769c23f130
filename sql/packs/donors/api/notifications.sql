-- Push and SMS about a blood request: what is sent to whom, what becomes of it, and who gets an SMS because no push came through.
-- Jobs are those of the queue emergency-notifications; their data is exactly {type, recipient, data}.

-- The words of a request, the same on every screen; all strings, as FCM wants its data.
CREATE OR REPLACE FUNCTION _donors.notification_data(request donors.blood_requests) RETURNS json
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT json_build_object(
        'emergencyId', (notification_data.request).id::text, 'bloodGroup', (notification_data.request).blood_group,
        'urgency', (notification_data.request).urgency, 'hospitalName', coalesce((notification_data.request).hospital_name, ''),
        'title', CASE WHEN (notification_data.request).urgency = 'critical' THEN 'Critical: ' ELSE '' END
                 || (notification_data.request).blood_group || ' blood needed',
        'body', (notification_data.request).units || CASE WHEN (notification_data.request).units = 1 THEN ' unit' ELSE ' units' END || ' of '
                || (notification_data.request).blood_group || ' needed'
                || coalesce(' at ' || nullif((notification_data.request).hospital_name, ''), ' near you'));
END;
COMMENT ON FUNCTION _donors.notification_data(donors.blood_requests) IS 'what a push or SMS about a request says';

-- Smaller runs first.
CREATE OR REPLACE FUNCTION _donors.notification_priority(urgency text) RETURNS integer
    LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT CASE notification_priority.urgency WHEN 'critical' THEN -20 WHEN 'high' THEN -10 WHEN 'low' THEN 10 ELSE 0 END;
END;
COMMENT ON FUNCTION _donors.notification_priority(text) IS 'the priority of a request''s notifications: smaller runs first';

-- One job a recipient, in the order given, and its row; who has been told by that channel already is not told again. Returns how many.
CREATE OR REPLACE FUNCTION _donors.notify(request donors.blood_requests, user_ids text[], channels text[], recipients text[]) RETURNS bigint
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    WITH told AS MATERIALIZED (
        SELECT t.user_id, t.channel, t.recipient, t.place
          FROM unnest(notify.user_ids, notify.channels, notify.recipients) WITH ORDINALITY AS t (user_id, channel, recipient, place)
         WHERE NOT EXISTS (SELECT FROM donors.notifications n WHERE n.request_id = (notify.request).id AND n.channel = t.channel AND n.recipient = t.recipient)
         ORDER BY t.place
    ), stored AS (
        INSERT INTO donors.notifications (request_id, user_id, channel, recipient, state, job_id)
        SELECT (notify.request).id, o.user_id, o.channel, o.recipient, 'queued',
               pulse.enqueue('emergency-notifications', 'emergency_' || o.channel,
                   json_build_object('type', 'emergency_' || o.channel, 'recipient', o.recipient, 'data', _donors.notification_data(notify.request)),
                   priority => _donors.notification_priority((notify.request).urgency), on_end => 'donors.notification_ended')
          FROM (SELECT * FROM told t ORDER BY t.place) o
        RETURNING 1
    )
    SELECT count(*) FROM stored
$$;
COMMENT ON FUNCTION _donors.notify(donors.blood_requests, text[], text[], text[]) IS 'enqueues push and SMS jobs about a request, each recipient once';

-- Builders: what the delivery channels send for such a job.
CREATE OR REPLACE FUNCTION donors.push_args(args json) RETURNS json
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT json_build_object('token', push_args.args -> 'recipient',
        'notification', json_build_object('title', push_args.args #> '{data,title}', 'body', push_args.args #> '{data,body}'),
        'data', push_args.args -> 'data',
        'urgent', push_args.args #>> '{data,urgency}' IN ('high', 'critical'),
        'collapseKey', push_args.args #> '{data,emergencyId}', 'ttl', 3600);
END;
COMMENT ON FUNCTION donors.push_args(json) IS 'kind emergency_push: the FCM message of a job';

CREATE OR REPLACE FUNCTION donors.sms_args(args json) RETURNS json
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT json_build_object('to', sms_args.args -> 'recipient',
        'body', (sms_args.args #>> '{data,title}') || '. ' || (sms_args.args #>> '{data,body}') || '. Open the app to answer.');
END;
COMMENT ON FUNCTION donors.sms_args(json) IS 'kind emergency_sms: the text message of a job';

-- Donors of a request who shall get an SMS: with a phone, without an SMS or an answer yet, while blood is still needed.
CREATE OR REPLACE FUNCTION _donors.send_sms(request donors.blood_requests, user_ids text[]) RETURNS bigint
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(_donors.notify(send_sms.request, array_agg(d.user_id ORDER BY u.place), array_agg('sms'::text ORDER BY u.place),
                                   array_agg(d.phone ORDER BY u.place)), 0)
      FROM unnest(send_sms.user_ids) WITH ORDINALITY AS u (user_id, place)
      JOIN donors.donors d ON d.user_id = u.user_id
     WHERE d.phone IS NOT NULL AND (send_sms.request).status = 'open'
       AND NOT EXISTS (SELECT FROM donors.blood_request_responses r WHERE r.request_id = (send_sms.request).id AND r.donor_id = d.user_id)
       AND NOT EXISTS (SELECT FROM donors.notifications n WHERE n.request_id = (send_sms.request).id AND n.channel = 'sms' AND n.user_id = d.user_id)
$$;
COMMENT ON FUNCTION _donors.send_sms(donors.blood_requests, text[]) IS 'enqueues an SMS to each of these donors who can be reached so and has not been';

-- on_end of the jobs: writes down what became of one; a token that FCM calls unregistered is removed; when the last push of a donor has
-- failed for good, an SMS goes out instead.
CREATE OR REPLACE FUNCTION donors.notification_ended(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_row     donors.notifications;
    v_request donors.blood_requests;
    v_sms     bigint := 0;
BEGIN
    UPDATE donors.notifications n
       SET state = CASE notification_ended.args ->> 'state' WHEN 'completed' THEN 'sent' WHEN 'cancelled' THEN 'cancelled' ELSE 'failed' END,
           attempts = (notification_ended.args ->> 'attempt')::integer, error = notification_ended.args ->> 'error', ended_at = clock_timestamp()
     WHERE n.job_id = (notification_ended.args ->> 'id')::bigint
    RETURNING * INTO v_row;
    IF NOT FOUND THEN
        RETURN json_build_object('sms', 0);  -- the request is gone
    END IF;
    IF v_row.channel = 'push' AND v_row.state = 'sent' THEN
        UPDATE donors.device_tokens t SET last_used_at = clock_timestamp() WHERE t.token = v_row.recipient;
    ELSIF v_row.channel = 'push' AND (notification_ended.args #>> '{result,tokenDead}') = 'true' THEN
        -- One that was registered again, or worked, since then stays.
        DELETE FROM donors.device_tokens t WHERE t.token = v_row.recipient AND greatest(t.created_at, t.last_used_at) < v_row.created_at;
    END IF;
    IF v_row.channel = 'push' AND v_row.state = 'failed' THEN
        SELECT * INTO v_request FROM donors.blood_requests r WHERE r.id = v_row.request_id FOR SHARE;
        IF NOT EXISTS (SELECT FROM donors.notifications n WHERE n.request_id = v_row.request_id AND n.user_id = v_row.user_id
                          AND n.channel = 'push' AND n.state IN ('queued', 'sent')) THEN
            v_sms := _donors.send_sms(v_request, ARRAY[v_row.user_id]);
        END IF;
    END IF;
    RETURN json_build_object('sms', v_sms);
END
$$;
COMMENT ON FUNCTION donors.notification_ended(json) IS 'on_end of push and SMS jobs: the report, dead tokens, and an SMS when no push came through';
REVOKE EXECUTE ON FUNCTION donors.notification_ended(json) FROM PUBLIC;

-- Job, setting sms_after after a request: whoever was told and has not answered gets an SMS.
CREATE OR REPLACE FUNCTION donors.remind(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_request donors.blood_requests;
    v_sms     bigint := 0;
BEGIN
    SELECT * INTO v_request FROM donors.blood_requests r WHERE r.id = pulse.to_uuid(remind.args ->> 'requestId');
    IF FOUND THEN
        SELECT _donors.send_sms(v_request, array_agg(n.user_id ORDER BY n.created_at, n.user_id)) INTO v_sms
          FROM donors.notifications n WHERE n.request_id = v_request.id AND n.channel = 'socket';
    END IF;
    RETURN json_build_object('sms', coalesce(v_sms, 0));
END
$$;
COMMENT ON FUNCTION donors.remind(json) IS 'job: an SMS to whoever was told of a request and has not answered';
REVOKE EXECUTE ON FUNCTION donors.remind(json) FROM PUBLIC;

-- A request that nobody need answer any more: what waits is not sent.
CREATE OR REPLACE FUNCTION donors.stop_notifications(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_stopped bigint;
BEGIN
    SELECT count(*) FILTER (WHERE pulse.cancel(n.job_id)) INTO v_stopped
      FROM donors.notifications n
      JOIN donors.blood_requests r ON r.id = n.request_id
     WHERE n.request_id = pulse.to_uuid(stop_notifications.args ->> 'requestId') AND n.state = 'queued'
       AND r.status NOT IN ('open', 'matched');
    RETURN json_build_object('stopped', v_stopped);
END
$$;
COMMENT ON FUNCTION donors.stop_notifications(json) IS 'job: cancels the notifications of a closed request that have not been sent';
REVOKE EXECUTE ON FUNCTION donors.stop_notifications(json) FROM PUBLIC;

-- donors.notification_report(request_id uuid)
-- Who was told of a request, by which channel (socket, push, sms), when, and with what result, in the order of the jobs. Neither tokens nor
-- phone numbers are in it. The caller needs SELECT on donors.notifications.
CREATE OR REPLACE FUNCTION donors.notification_report(request_id uuid)
    RETURNS TABLE (user_id text, channel text, state text, attempts integer, told_at timestamptz, ended_at timestamptz, error text, job_id bigint)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT n.user_id, n.channel, n.state, n.attempts, n.created_at, n.ended_at, n.error, n.job_id
      FROM donors.notifications n
     WHERE n.request_id = notification_report.request_id
     ORDER BY n.job_id NULLS FIRST, n.created_at, n.user_id;
END;
COMMENT ON FUNCTION donors.notification_report(uuid) IS 'who was told of a blood request, by which channel, when, and with what result';
