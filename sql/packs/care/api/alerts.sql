-- Alerts: acknowledged by one member for all, escalated when nobody does.

CREATE OR REPLACE FUNCTION _care.alert_json(alert care.alerts) RETURNS json
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT json_strip_nulls(json_build_object(
        'alertId', (alert_json.alert).id, 'careRecipientId', (alert_json.alert).care_recipient_id, 'familyId', (alert_json.alert).family_id,
        'type', (alert_json.alert).type, 'severity', (alert_json.alert).severity, 'createdBy', (alert_json.alert).created_by,
        'createdAt', pulse.iso8601((alert_json.alert).created_at), 'acknowledgedBy', (alert_json.alert).acknowledged_by,
        'acknowledgedAt', pulse.iso8601((alert_json.alert).acknowledged_at), 'escalatedAt', pulse.iso8601((alert_json.alert).escalated_at)));
END;
COMMENT ON FUNCTION _care.alert_json(care.alerts) IS 'an alert as clients read it';

-- The first one counts; whoever comes later is told who it was.
CREATE OR REPLACE FUNCTION _care.acknowledge_alert(alert_id text) RETURNS care.alerts
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_alert care.alerts;
BEGIN
    SELECT * INTO v_alert FROM care.alerts a WHERE a.id = acknowledge_alert.alert_id;
    PERFORM _care.require_member(v_alert.family_id);
    PERFORM FROM care.alerts a WHERE a.id = v_alert.id FOR NO KEY UPDATE;   -- before the family, as every UPDATE has it
    PERFORM _care.lock_family(v_alert.family_id);
    UPDATE care.alerts a SET acknowledged_by = pulse.user_id() WHERE a.id = v_alert.id AND a.acknowledged_at IS NULL;
    SELECT * INTO v_alert FROM care.alerts a WHERE a.id = acknowledge_alert.alert_id;
    RETURN v_alert;
END
$$;
COMMENT ON FUNCTION _care.acknowledge_alert(text) IS 'the user of this call takes care of an alert, unless somebody does already';

CREATE OR REPLACE FUNCTION care.on_acknowledge(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_alert care.alerts := _care.acknowledge_alert(pulse.input_text(pulse.input_object(args -> 0, '{"alertId":"…"}'), 'alertId', 200, true));
BEGIN
    RETURN json_build_object('ok', true, 'alertId', v_alert.id, 'acknowledgedBy', v_alert.acknowledged_by, 'acknowledgedAt', pulse.iso8601(v_alert.acknowledged_at));
END
$$;
COMMENT ON FUNCTION care.on_acknowledge(json) IS 'alert:acknowledge {alertId}: {ok, alertId, acknowledgedBy, acknowledgedAt}; acknowledgedBy is who came first';
REVOKE EXECUTE ON FUNCTION care.on_acknowledge(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.on_acknowledge(json) TO pulse_client;

CREATE OR REPLACE FUNCTION care.post_alert(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_input    json := pulse.input_object(request -> 'body', '{"careRecipientId":"…","type":"fall_detected","severity":"high"}');
    v_id       text := pulse.input_text(v_input, 'careRecipientId', 200, true);
    v_type     text := pulse.input_text(v_input, 'type', 100, true);
    v_severity text := coalesce(pulse.input_choice(v_input, 'severity', '{low,medium,high,critical}'), 'high');
    v_own      text := coalesce(pulse.input_text(v_input, 'clientAlertId', 200), pulse.input_text(request -> 'headers', 'idempotency-key', 200));
    v_alert    care.alerts;
BEGIN
    PERFORM _care.require_member((SELECT r.family_id FROM care.care_recipients r WHERE r.id = v_id));
    INSERT INTO care.alerts (care_recipient_id, type, severity, created_by, client_alert_id) VALUES (v_id, v_type, v_severity, pulse.user_id(), v_own)
        ON CONFLICT (created_by, client_alert_id) WHERE client_alert_id IS NOT NULL DO NOTHING
    RETURNING * INTO v_alert;
    IF v_alert.id IS NOT NULL THEN
        RETURN pulse.http_response(201, _care.alert_json(v_alert));
    END IF;
    SELECT * INTO v_alert FROM care.alerts a WHERE a.created_by = pulse.user_id() AND a.client_alert_id = v_own;   -- sent again
    IF NOT FOUND THEN
        PERFORM pulse.fail('conflict', 'the alert is just being deleted', 'Send it again.');
    END IF;
    PERFORM _care.require_member(v_alert.family_id);
    RETURN _care.alert_json(v_alert);
END
$$;
COMMENT ON FUNCTION care.post_alert(json) IS 'POST /api/v1/care/alerts {careRecipientId, type, severity?, clientAlertId?}: 201 alert; again with the same clientAlertId: 200 and that one';
REVOKE EXECUTE ON FUNCTION care.post_alert(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.post_alert(json) TO pulse_client;

CREATE OR REPLACE FUNCTION care.post_acknowledge(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN _care.alert_json(_care.acknowledge_alert(request -> 'params' ->> 'id'));
END
$$;
COMMENT ON FUNCTION care.post_acknowledge(json) IS 'POST /api/v1/care/alerts/{id}/acknowledge: alert; acknowledgedBy is who came first';
REVOKE EXECUTE ON FUNCTION care.post_acknowledge(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.post_acknowledge(json) TO pulse_client;

-- The job of one alert. When the setting was raised meanwhile, it waits on.
CREATE OR REPLACE FUNCTION care.escalate(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_alert care.alerts;
BEGIN
    SELECT * INTO v_alert FROM care.alerts a WHERE a.id = escalate.args ->> 'alertId' FOR UPDATE;
    PERFORM _care.lock_family(v_alert.family_id);
    IF v_alert.id IS NULL OR v_alert.acknowledged_at IS NOT NULL OR v_alert.escalated_at IS NOT NULL THEN
        RETURN json_build_object('escalated', false);
    ELSIF v_alert.created_at + care.alert_escalate_after() > clock_timestamp() THEN
        PERFORM _care.arm_escalation(v_alert);
        RETURN json_build_object('escalated', false);
    END IF;
    UPDATE care.alerts a SET escalated_at = clock_timestamp() WHERE a.id = v_alert.id;
    RETURN json_build_object('escalated', true);
END
$$;
COMMENT ON FUNCTION care.escalate(json) IS 'job: tells the family again of an alert that nobody acknowledged within alert_escalate_after';
REVOKE EXECUTE ON FUNCTION care.escalate(json) FROM PUBLIC;

CREATE OR REPLACE FUNCTION _care.arm_escalation(alert care.alerts) RETURNS bigint
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pulse.enqueue('care', 'sql', json_build_object('function', 'care.escalate', 'args', json_build_object('alertId', (arm_escalation.alert).id)),
        run_at => (arm_escalation.alert).created_at + care.alert_escalate_after(), unique_key => 'care.escalate:' || (arm_escalation.alert).id)
$$;
COMMENT ON FUNCTION _care.arm_escalation(care.alerts) IS 'looks at an alert again when its time is over';

CREATE OR REPLACE FUNCTION _care.on_alert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM _care.arm_escalation(NEW);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _care.on_alert() IS 'trigger: an alert waits for somebody';
