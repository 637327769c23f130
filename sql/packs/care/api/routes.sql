-- Reads over HTTP: channels, messages, the badge, the figures of a dashboard.

CREATE OR REPLACE FUNCTION care.get_channels(request json) RETURNS json
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_family text := request -> 'params' ->> 'id';
BEGIN
    PERFORM _care.require_member(v_family);
    RETURN json_build_object('items', (
        SELECT coalesce(json_agg(json_build_object('channelId', c.id, 'name', c.name, 'isDefault', c.is_default) ORDER BY c.is_default DESC, c.name, c.id), '[]')
          FROM care.channels c WHERE c.family_id = v_family));
END
$$;
COMMENT ON FUNCTION care.get_channels(json) IS 'GET /api/v1/care/families/{id}/channels: {items:[{channelId, name, isDefault}]}';
REVOKE EXECUTE ON FUNCTION care.get_channels(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.get_channels(json) TO pulse_client;

CREATE OR REPLACE FUNCTION care.get_messages(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_family  text := request -> 'params' ->> 'id';
    v_user    text := _care.require_member(v_family);
    v_most    integer := pulse.page_size(request, 100);
    v_before  text := request -> 'query' ->> 'before';
    v_channel text := request -> 'query' ->> 'channelId';
    v_at      timestamptz;
    v_id      uuid := '00000000-0000-0000-0000-000000000000';
    v_items   json;
    v_next    uuid;
BEGIN
    IF v_before IS NOT NULL THEN
        SELECT m.created_at, m.id INTO v_at, v_id FROM care.messages m WHERE m.id = pulse.to_uuid(v_before) AND m.family_id = v_family;
        IF NOT FOUND THEN
            v_at := pulse.to_time(v_before);
            v_id := '00000000-0000-0000-0000-000000000000';
        END IF;
        IF v_at IS NULL THEN
            PERFORM pulse.fail('invalid', 'before must be the id of a message of the family, or a time', 'Give the next of the page before.');
        END IF;
    END IF;
    SELECT coalesce(json_agg(p.item ORDER BY p.n) FILTER (WHERE p.n <= v_most), '[]'), max(p.id::text) FILTER (WHERE p.n = v_most AND p.rows > v_most)
      INTO v_items, v_next
      FROM (SELECT m.id, _care.message_json(m) AS item, row_number() OVER (ORDER BY m.created_at DESC, m.id DESC) AS n, count(*) OVER () AS rows
              FROM (SELECT o.* FROM care.messages o
                     WHERE o.family_id = v_family AND (v_channel IS NULL OR o.channel_id = v_channel)
                       AND (v_at IS NULL OR (o.created_at, o.id) < (v_at, v_id))
                     ORDER BY o.created_at DESC, o.id DESC LIMIT v_most + 1) o
              JOIN care.messages m ON m.id = o.id) p;
    RETURN json_build_object('items', v_items, 'next', v_next);
END
$$;
COMMENT ON FUNCTION care.get_messages(json) IS 'GET /api/v1/care/families/{id}/messages?before=&channelId=&limit=: {items, next}, newest first';
REVOKE EXECUTE ON FUNCTION care.get_messages(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.get_messages(json) TO pulse_client;

CREATE OR REPLACE FUNCTION care.get_badge(request json) RETURNS json
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN json_build_object('unread', care.unread(pulse.user_id()));
END
$$;
COMMENT ON FUNCTION care.get_badge(json) IS 'GET /api/v1/care/me/badge: {unread}';
REVOKE EXECUTE ON FUNCTION care.get_badge(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.get_badge(json) TO pulse_client;

CREATE OR REPLACE FUNCTION care.get_stats(request json) RETURNS json
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_family text := request -> 'params' ->> 'id';
    v_today  timestamptz := date_trunc('day', now(), 'UTC');
BEGIN
    PERFORM _care.require_member(v_family);
    RETURN json_build_object('familyId', v_family,
        'members', (SELECT count(*) FROM care.members m WHERE m.family_id = v_family AND m.left_at IS NULL),
        'online', pulse.presence_count(_care.room(v_family)),
        'careRecipients', (SELECT count(*) FROM care.care_recipients r WHERE r.family_id = v_family),
        'dosesToday', (SELECT count(*) FROM care.medication_logs l WHERE l.family_id = v_family AND l.logged_at >= v_today),
        'messagesToday', (SELECT count(*) FROM care.messages m WHERE m.family_id = v_family AND m.created_at >= v_today),
        'openAlerts', (SELECT count(*) FROM care.alerts a WHERE a.family_id = v_family AND a.acknowledged_at IS NULL),
        'activeShifts', (SELECT count(*) FROM care.shifts s WHERE s.family_id = v_family AND s.started_at IS NOT NULL AND s.ended_at IS NULL),
        'generatedAt', pulse.iso8601(now()));
END
$$;
COMMENT ON FUNCTION care.get_stats(json) IS 'GET /api/v1/care/families/{id}/stats: figures of a family; today is the day in UTC';
REVOKE EXECUTE ON FUNCTION care.get_stats(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.get_stats(json) TO pulse_client;
