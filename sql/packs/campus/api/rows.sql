-- Trigger functions that complete rows before they are written, so that an INSERT needs only what the caller knows. They look up other
-- tables as the owner: who may report an issue need not be able to read all campuses.

CREATE OR REPLACE FUNCTION _campus.fill_building() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT c.organization_id INTO NEW.organization_id FROM campus.campuses c WHERE c.id = NEW.campus_id;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _campus.fill_building() IS 'trigger: the campus''s organization';

CREATE OR REPLACE FUNCTION _campus.fill_alert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT b.campus_id, b.organization_id INTO NEW.campus_id, NEW.organization_id FROM campus.buildings b WHERE b.id = NEW.building_id;
    IF NOT FOUND AND NEW.building_id IS NOT NULL THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('building %s does not exist', NEW.building_id), HINT = 'Insert the building into campus.buildings first.',
            SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, CONSTRAINT = 'maintenance_alerts_building_id_fkey';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _campus.fill_alert() IS 'trigger: the building''s campus and organization';

CREATE OR REPLACE FUNCTION _campus.fill_issue() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.campus_id IS NULL AND NEW.building_id IS NOT NULL THEN
        SELECT b.campus_id INTO NEW.campus_id FROM campus.buildings b WHERE b.id = NEW.building_id;
    END IF;
    IF NEW.organization_id IS NULL AND NEW.campus_id IS NOT NULL THEN
        SELECT c.organization_id INTO NEW.organization_id FROM campus.campuses c WHERE c.id = NEW.campus_id;
    END IF;
    IF NEW.campus_id IS NULL AND NEW.building_id IS NOT NULL OR NEW.organization_id IS NULL AND NEW.campus_id IS NOT NULL THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('%s does not exist', CASE WHEN NEW.campus_id IS NULL THEN 'building ' || NEW.building_id ELSE 'campus ' || NEW.campus_id END),
            HINT = 'Insert it into campus.campuses or campus.buildings first.',
            SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, CONSTRAINT = 'issues_campus_id_fkey';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _campus.fill_issue() IS 'trigger: campus and organization of a new issue that names less';

CREATE OR REPLACE FUNCTION _campus.keep_issue() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at THEN
        NEW.updated_at := now();
    END IF;
    IF NEW.status <> 'resolved' THEN
        NEW.resolved_at := NULL;
    ELSIF NEW.resolved_at IS NULL THEN
        NEW.resolved_at := now();
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _campus.keep_issue() IS 'trigger: updated_at and resolved_at of an issue';

-- Of an organization, campus or building that is deleted, renamed, or becomes another organization's, nobody stays in the rooms (the
-- trigger's arguments name their kinds): the id may be somebody else's next.
CREATE OR REPLACE FUNCTION _campus.on_place_gone() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_ids text[];
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE format('SELECT array_agg(t.id) FROM %I.%I t', TG_TABLE_SCHEMA, TG_TABLE_NAME) INTO v_ids;
    ELSE
        v_ids := ARRAY[OLD.id];
    END IF;
    PERFORM pulse.evict(k.kind || ':' || pulse.room_part(i.id), reason => CASE TG_OP WHEN 'UPDATE' THEN 'changed' ELSE 'deleted' END)
       FROM unnest(v_ids) AS i (id), unnest(TG_ARGV) AS k (kind);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _campus.on_place_gone() IS 'trigger: nobody stays in the rooms of a place that is gone';

-- With an organization all its rooms go.
CREATE OR REPLACE FUNCTION _campus.rooms_under(organization text) RETURNS SETOF text
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT r.room
      FROM campus.organizations o
     CROSS JOIN LATERAL (
            SELECT 'org:' || pulse.room_part(o.id) UNION ALL
            SELECT 'heatmap:' || pulse.room_part(o.id) UNION ALL
            SELECT 'campus:' || pulse.room_part(c.id) FROM campus.campuses c WHERE c.organization_id = o.id UNION ALL
            SELECT 'building:' || pulse.room_part(b.id) FROM campus.buildings b WHERE b.organization_id = o.id) AS r (room)
     WHERE o.id = rooms_under.organization;
END;
COMMENT ON FUNCTION _campus.rooms_under(text) IS 'all rooms of an organization that there is';

-- Whose membership ends leaves the organization's rooms. (A token that names the organization goes on to open them: pulse.revoke.)
CREATE OR REPLACE FUNCTION _campus.on_member_gone() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM pulse.evict(r.room, m.user_id, 'no longer a member') FROM campus.members m, _campus.rooms_under(m.organization_id) AS r (room);
    ELSE
        PERFORM pulse.evict(r.room, OLD.user_id, 'no longer a member') FROM _campus.rooms_under(OLD.organization_id) AS r (room);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _campus.on_member_gone() IS 'trigger: takes who is no longer a member out of the organization''s rooms';
