-- What happened in a family, for clients that read instead of listen: the events of schema/events.sql from their rows, as far back as those go.

-- Of each kind the first ones by its index, and all that have the time of the last of them.
CREATE OR REPLACE FUNCTION _care.activity(family_id text, since timestamptz, most bigint)
    RETURNS TABLE (at timestamptz, event text, data json)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    (SELECT l.logged_at, 'medication:logged', json_build_object('medicationId', l.medication_id, 'careRecipientId', l.care_recipient_id,
            'loggedBy', l.logged_by, 'timestamp', pulse.iso8601(l.logged_at), 'logId', l.id, 'scheduledFor', pulse.iso8601(l.scheduled_for))
       FROM care.medication_logs l WHERE l.family_id = activity.family_id AND l.logged_at > activity.since
      ORDER BY l.logged_at FETCH FIRST (activity.most) ROWS WITH TIES)
    UNION ALL
    (SELECT a.created_at, 'emergency:alert', json_build_object('alertId', a.id, 'careRecipientId', a.care_recipient_id, 'type', a.type,
            'severity', a.severity, 'createdAt', pulse.iso8601(a.created_at))
       FROM care.alerts a WHERE a.family_id = activity.family_id AND a.created_at > activity.since
      ORDER BY a.created_at FETCH FIRST (activity.most) ROWS WITH TIES)
    UNION ALL
    (SELECT a.acknowledged_at, 'emergency:alert:acknowledged', json_build_object('alertId', a.id, 'acknowledgedBy', a.acknowledged_by, 'at', pulse.iso8601(a.acknowledged_at))
       FROM care.alerts a WHERE a.family_id = activity.family_id AND a.acknowledged_at > activity.since
      ORDER BY a.acknowledged_at FETCH FIRST (activity.most) ROWS WITH TIES)
    UNION ALL
    (SELECT a.escalated_at, 'emergency:alert:escalated', json_build_object('alertId', a.id, 'at', pulse.iso8601(a.escalated_at))
       FROM care.alerts a WHERE a.family_id = activity.family_id AND a.escalated_at > activity.since
      ORDER BY a.escalated_at FETCH FIRST (activity.most) ROWS WITH TIES)
    UNION ALL
    (SELECT s.started_at, 'shift:started', json_build_object('shiftId', s.id, 'caregiverId', s.caregiver_id, 'startTime', pulse.iso8601(s.started_at))
       FROM care.shifts s WHERE s.family_id = activity.family_id AND s.started_at > activity.since
      ORDER BY s.started_at FETCH FIRST (activity.most) ROWS WITH TIES)
    UNION ALL
    (SELECT s.ended_at, 'shift:ended', json_build_object('shiftId', s.id, 'caregiverId', s.caregiver_id, 'endTime', pulse.iso8601(s.ended_at))
       FROM care.shifts s WHERE s.family_id = activity.family_id AND s.ended_at > activity.since
      ORDER BY s.ended_at FETCH FIRST (activity.most) ROWS WITH TIES)
    UNION ALL
    (SELECT m.created_at, 'message', _care.message_json(m)
       FROM care.messages m WHERE m.family_id = activity.family_id AND m.created_at > activity.since
      ORDER BY m.created_at FETCH FIRST (activity.most) ROWS WITH TIES);
END;
COMMENT ON FUNCTION _care.activity(text, timestamptz, bigint) IS 'what happened in a family after a time, at least the first so many, if there are';

-- When one kind alone has so many from then on, the newest so many of all kinds are from then on.
CREATE OR REPLACE FUNCTION _care.newest(family_id text, most bigint) RETURNS timestamptz
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(greatest(
           (SELECT l.logged_at FROM care.medication_logs l WHERE l.family_id = newest.family_id AND l.logged_at IS NOT NULL ORDER BY l.logged_at DESC OFFSET newest.most - 1 LIMIT 1),
           (SELECT a.created_at FROM care.alerts a WHERE a.family_id = newest.family_id AND a.created_at IS NOT NULL ORDER BY a.created_at DESC OFFSET newest.most - 1 LIMIT 1),
           (SELECT a.acknowledged_at FROM care.alerts a WHERE a.family_id = newest.family_id AND a.acknowledged_at IS NOT NULL ORDER BY a.acknowledged_at DESC OFFSET newest.most - 1 LIMIT 1),
           (SELECT a.escalated_at FROM care.alerts a WHERE a.family_id = newest.family_id AND a.escalated_at IS NOT NULL ORDER BY a.escalated_at DESC OFFSET newest.most - 1 LIMIT 1),
           (SELECT s.started_at FROM care.shifts s WHERE s.family_id = newest.family_id AND s.started_at IS NOT NULL ORDER BY s.started_at DESC OFFSET newest.most - 1 LIMIT 1),
           (SELECT s.ended_at FROM care.shifts s WHERE s.family_id = newest.family_id AND s.ended_at IS NOT NULL ORDER BY s.ended_at DESC OFFSET newest.most - 1 LIMIT 1),
           (SELECT m.created_at FROM care.messages m WHERE m.family_id = newest.family_id AND m.created_at IS NOT NULL ORDER BY m.created_at DESC OFFSET newest.most - 1 LIMIT 1)), '-infinity') - interval '1 us';
END;
COMMENT ON FUNCTION _care.newest(text, bigint) IS 'a time after which at least the newest so many things of a family happened';

CREATE OR REPLACE FUNCTION _care.item_json(event text, at timestamptz, data json) RETURNS json
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT json_build_object('event', item_json.event, 'at', pulse.iso8601(item_json.at), 'data', item_json.data);
END;
COMMENT ON FUNCTION _care.item_json(text, timestamptz, json) IS 'something that happened, as clients read it';

-- Of several of one moment all are in a page, so that next skips none.
CREATE OR REPLACE FUNCTION care.get_activity(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_family text := request -> 'params' ->> 'id';
    v_user   text := _care.require_member(v_family);
    v_most   integer := pulse.page_size(request, 100);
    v_since  timestamptz := pulse.input_time(request -> 'query', 'since');
    v_items  json[];
    v_last   timestamptz;
BEGIN
    IF v_since IS NULL THEN
        SELECT array_agg(i.item ORDER BY i.at), max(i.at) INTO v_items, v_last
          FROM (SELECT a.at, _care.item_json(a.event, a.at, a.data) AS item
                  FROM _care.activity(v_family, _care.newest(v_family, v_most), 9223372036854775807) a
                 ORDER BY a.at DESC FETCH FIRST (v_most) ROWS WITH TIES) i;
    ELSE
        SELECT array_agg(i.item ORDER BY i.at), max(i.at) INTO v_items, v_last
          FROM (SELECT a.at, _care.item_json(a.event, a.at, a.data) AS item FROM _care.activity(v_family, v_since, v_most) a
                 ORDER BY a.at FETCH FIRST (v_most) ROWS WITH TIES) i;
    END IF;
    RETURN json_build_object('items', coalesce(array_to_json(v_items), '[]'),
        'next', to_char(coalesce(v_last, v_since) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'));
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
