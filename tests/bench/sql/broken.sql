-- An issue whose events may be lost and whose own transaction may not: the watch of campus.issues, with its three rooms.
CREATE TABLE bench.issues (
    id          uuid NOT NULL DEFAULT gen_random_uuid(),
    campus_id   text NOT NULL,
    building_id text,
    title       text NOT NULL,
    severity    text NOT NULL DEFAULT 'medium',
    status      text NOT NULL DEFAULT 'open',
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT issues_pkey PRIMARY KEY (id)
);
SELECT pulse.watch('bench.issues', 'issue:created', ARRAY['org:1', 'campus:{campus_id}', 'building:{building_id}'],
    payload => '{"issueId":"{id}","campusId":"{campus_id}","buildingId?":"{building_id}","title":"{title}","status":"{status}","severity":"{severity}","updatedAt":"{created_at}"}',
    partition_key => '{id}', on_error => 'warn');

-- Broken is: no event gets an id any more.
CREATE PROCEDURE bench.mend() LANGUAGE sql AS $$ ALTER SEQUENCE _pulse.event_id NO MAXVALUE $$;
CREATE PROCEDURE bench.break_off() LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER SEQUENCE _pulse.event_id MAXVALUE %s', (SELECT last_value FROM _pulse.event_id));
END $$;
