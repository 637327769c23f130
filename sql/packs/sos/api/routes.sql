-- Routes of clients: what was said and where people went. Readable as long as the case lives, also after it was closed.

-- Newest first. next is the value of before for the page that follows, null at the end.
CREATE OR REPLACE FUNCTION sos.get_messages(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_case   sos.cases := _sos.require_case(request -> 'params' ->> 'sosId', false);
    v_most   integer := pulse.page_size(request, 100);
    v_before text := request -> 'query' ->> 'before';
    v_at     timestamptz;
    v_id     uuid;
    v_items  json;
    v_next   uuid;
BEGIN
    IF v_before IS NOT NULL THEN
        SELECT m.created_at, m.id INTO v_at, v_id FROM sos.messages m WHERE m.id = pulse.to_uuid(v_before) AND m.case_id = v_case.id;
        IF NOT FOUND THEN
            v_at := pulse.to_time(v_before);
            v_id := '00000000-0000-0000-0000-000000000000';
        END IF;
        IF v_at IS NULL THEN
            PERFORM pulse.fail('invalid', 'before must be the id of a message of the case, or a time', 'Give the next of the page before.');
        END IF;
    END IF;
    SELECT coalesce(json_agg(json_build_object('sosId', p.case_id, 'messageId', p.id, 'from', p.user_id, 'role', p.role, 'message', p.message,
                                               'createdAt', pulse.iso8601(p.created_at)) ORDER BY p.n) FILTER (WHERE p.n <= v_most), '[]'),
           max(p.id::text) FILTER (WHERE p.n = v_most AND p.rows > v_most)
      INTO v_items, v_next
      FROM (SELECT m.*, row_number() OVER (ORDER BY m.created_at DESC, m.id DESC) AS n, count(*) OVER () AS rows
              FROM (SELECT * FROM sos.messages m
                     WHERE m.case_id = v_case.id AND (v_at IS NULL OR (m.created_at, m.id) < (v_at, v_id))
                     ORDER BY m.created_at DESC, m.id DESC LIMIT v_most + 1) m) p;
    RETURN json_build_object('items', v_items, 'next', v_next);
END
$$;
COMMENT ON FUNCTION sos.get_messages(json) IS 'GET /api/v1/sos/{sosId}/messages?before=&limit=: {items, next}, newest first';
REVOKE EXECUTE ON FUNCTION sos.get_messages(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sos.get_messages(json) TO pulse_client;

-- Oldest first, after since. next is the value of since for the page that follows, null at the end: the time and number of the last item,
-- since several may have one time.
CREATE OR REPLACE FUNCTION sos.get_track(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_case  sos.cases := _sos.require_case(request -> 'params' ->> 'sosId', false);
    v_most  integer := pulse.page_size(request, 1000);
    v_user  text := request -> 'query' ->> 'userId';
    v_text  text := request -> 'query' ->> 'since';
    v_since timestamptz := pulse.to_time(split_part(v_text, '~', 1));
    v_last  text := nullif(split_part(v_text, '~', 2), '');
    v_items json;
    v_next  text;
BEGIN
    IF v_text IS NOT NULL AND (v_since IS NULL OR v_last !~ '^[0-9]{1,18}$') THEN
        PERFORM pulse.fail('invalid', 'since must be a time', 'Such as 2026-01-05T10:00:00.000Z, or the next of the page before.');
    END IF;
    SELECT coalesce(json_agg(json_strip_nulls(json_build_object('userId', p.user_id, 'latitude', p.latitude, 'longitude', p.longitude,
                        'accuracy', p.accuracy, 'heading', p.heading, 'speed', p.speed, 'timestamp', pulse.iso8601(p.at))) ORDER BY p.n), '[]'),
           max(to_char(p.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '~' || p.id) FILTER (WHERE p.n = v_most AND p.rows > v_most)
      INTO v_items, v_next
      FROM (SELECT t.*, row_number() OVER (ORDER BY t.at, t.id) AS n, count(*) OVER () AS rows
              FROM (SELECT * FROM sos.positions t
                     WHERE t.case_id = v_case.id AND (v_user IS NULL OR t.user_id = v_user)
                       AND (v_since IS NULL OR (t.at, t.id) > (v_since, coalesce(v_last::bigint, 9223372036854775807)))
                     ORDER BY t.at, t.id LIMIT v_most + 1) t) p
     WHERE p.n <= v_most;
    RETURN json_build_object('items', v_items, 'next', v_next);
END
$$;
COMMENT ON FUNCTION sos.get_track(json) IS 'GET /api/v1/sos/{sosId}/track?userId=&since=&limit=: {items, next}, oldest first';
REVOKE EXECUTE ON FUNCTION sos.get_track(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sos.get_track(json) TO pulse_client;
