-- What happened in a family, for clients that read instead of listen: the events of schema/events.sql from their rows, as far back as those go.

CREATE OR REPLACE FUNCTION _care.activity(family_id text, since timestamptz)
    RETURNS TABLE (at timestamptz, event text, data json)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT l.logged_at, 'medication:logged', json_build_object('medicationId', l.medication_id, 'careRecipientId', l.care_recipient_id,
           'loggedBy', l.logged_by, 'timestamp', pulse.iso8601(l.logged_at), 'logId', l.id, 'scheduledFor', pulse.iso8601(l.scheduled_for))
      FROM care.medication_logs l WHERE l.family_id = activity.family_id AND l.logged_at > activity.since
    UNION ALL
    SELECT a.created_at, 'emergency:alert', json_build_object('alertId', a.id, 'careRecipientId', a.care_recipient_id, 'type', a.type,
           'severity', a.severity, 'createdAt', pulse.iso8601(a.created_at))
      FROM care.alerts a WHERE a.family_id = activity.family_id AND a.created_at > activity.since
    UNION ALL
    SELECT a.acknowledged_at, 'emergency:alert:acknowledged', json_build_object('alertId', a.id, 'acknowledgedBy', a.acknowledged_by, 'at', pulse.iso8601(a.acknowledged_at))
      FROM care.alerts a WHERE a.family_id = activity.family_id AND a.acknowledged_at > activity.since
    UNION ALL
    SELECT a.escalated_at, 'emergency:alert:escalated', json_build_object('alertId', a.id, 'at', pulse.iso8601(a.escalated_at))
      FROM care.alerts a WHERE a.family_id = activity.family_id AND a.escalated_at > activity.since
    UNION ALL
    SELECT s.started_at, 'shift:started', json_build_object('shiftId', s.id, 'caregiverId', s.caregiver_id, 'startTime', pulse.iso8601(s.started_at))
      FROM care.shifts s WHERE s.family_id = activity.family_id AND s.started_at > activity.since
    UNION ALL
    SELECT s.ended_at, 'shift:ended', json_build_object('shiftId', s.id, 'caregiverId', s.caregiver_id, 'endTime', pulse.iso8601(s.ended_at))
      FROM care.shifts s WHERE s.family_id = activity.family_id AND s.ended_at > activity.since
    UNION ALL
    SELECT m.created_at, 'message', _care.message_json(m)
      FROM care.messages m WHERE m.family_id = activity.family_id AND m.created_at > activity.since;
END;
COMMENT ON FUNCTION _care.activity(text, timestamptz) IS 'what happened in a family after a time';

CREATE OR REPLACE FUNCTION care.get_activity(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_family text := request -> 'params' ->> 'id';
    v_user   text := _care.require_member(v_family);
    v_most   integer := pulse.page_size(request, 100);
    v_given  timestamptz := pulse.input_time(request -> 'query', 'since');
    v_items  json;
    v_next   timestamptz;
BEGIN
    SELECT coalesce(json_agg(json_build_object('event', i.event, 'at', pulse.iso8601(i.at), 'data', i.data) ORDER BY i.at), '[]'), max(i.at)
      INTO v_items, v_next
      FROM (SELECT * FROM _care.activity(v_family, coalesce(v_given, '-infinity')) a
             ORDER BY CASE WHEN v_given IS NOT NULL THEN a.at END, CASE WHEN v_given IS NULL THEN a.at END DESC
             LIMIT v_most) i;
    RETURN json_build_object('items', v_items,
        'next', to_char(coalesce(v_next, v_given) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'));
END
$$;
COMMENT ON FUNCTION care.get_activity(json) IS
    'GET /api/v1/care/families/{id}/activity?since=&limit=: {items:[{event, at, data}], next}, oldest first; since = next goes on; without since the newest';
REVOKE EXECUTE ON FUNCTION care.get_activity(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.get_activity(json) TO pulse_client;

CREATE OR REPLACE FUNCTION care.activity_stream(request json) RETURNS json
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_family text := request -> 'params' ->> 'id';
BEGIN
    PERFORM _care.require_member(v_family);
    RETURN json_build_object('rooms', json_build_array(_care.room(v_family)), 'events', json_build_array('medication:logged', 'emergency:alert',
        'emergency:alert:acknowledged', 'emergency:alert:escalated', 'shift:started', 'shift:ended', 'message'));
END
$$;
COMMENT ON FUNCTION care.activity_stream(json) IS 'stream /api/v1/care/families/{id}/activity/stream: what happens in the family from now on';
REVOKE EXECUTE ON FUNCTION care.activity_stream(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.activity_stream(json) TO pulse_client;
