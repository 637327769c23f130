-- For operators and statistics; nobody else may read them unless the owner grants it.

CREATE VIEW sos.active_rooms AS
    SELECT _sos.room(c.id) AS room, c.id AS sos_id, c.citizen_id, c.status,
           (SELECT count(*) FROM sos.participants p WHERE p.case_id = c.id) AS participants,
           c.created_at, c.updated_at, _sos.live_until(c) AS expires_at
      FROM sos.cases c
     WHERE c.closed_at IS NULL AND _sos.live_until(c) > clock_timestamp();
COMMENT ON VIEW sos.active_rooms IS 'rooms of cases that are neither closed nor expired';

CREATE VIEW sos.activity_by_user AS
    SELECT a.user_id, count(DISTINCT a.case_id) AS cases,
           count(*) FILTER (WHERE a.what = 'message') AS messages,
           sum(a.located)::bigint AS positions,
           min(a.at) AS first_active_at, max(a.last_at) AS last_active_at
      FROM (SELECT p.user_id, p.case_id, 'participant' AS what, p.located, p.joined_at AS at, p.last_seen_at AS last_at FROM sos.participants p
            UNION ALL
            SELECT m.user_id, m.case_id, 'message', 0, m.created_at, m.created_at FROM sos.messages m) a
     GROUP BY a.user_id;
COMMENT ON VIEW sos.activity_by_user IS 'in how many cases a user was, what came from there, and when first and last';

CREATE VIEW sos.activity_by_day AS
    SELECT a.day, sum(a.opened)::bigint AS cases_opened, sum(a.closed)::bigint AS cases_closed,
           sum(a.messages)::bigint AS messages, sum(a.positions)::bigint AS positions
      FROM (SELECT (c.created_at AT TIME ZONE 'UTC')::date AS day, 1 AS opened, 0 AS closed, 0 AS messages, 0 AS positions FROM sos.cases c
            UNION ALL SELECT (c.closed_at AT TIME ZONE 'UTC')::date, 0, 1, 0, 0 FROM sos.cases c WHERE c.closed_at IS NOT NULL
            UNION ALL SELECT (m.created_at AT TIME ZONE 'UTC')::date, 0, 0, 1, 0 FROM sos.messages m
            UNION ALL SELECT (p.at AT TIME ZONE 'UTC')::date, 0, 0, 0, 1 FROM sos.positions p) a
     GROUP BY a.day;
COMMENT ON VIEW sos.activity_by_day IS 'cases opened and closed, messages, and kept positions a day (UTC)';
