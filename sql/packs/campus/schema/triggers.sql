-- Triggers that complete and follow rows. The events of these tables are in schema/events.sql.

CREATE TRIGGER buildings_insert_fill BEFORE INSERT ON campus.buildings
    FOR EACH ROW WHEN (NEW.organization_id IS NULL) EXECUTE FUNCTION _campus.fill_building();
CREATE TRIGGER maintenance_alerts_insert_fill BEFORE INSERT ON campus.maintenance_alerts
    FOR EACH ROW WHEN (NEW.campus_id IS NULL OR NEW.organization_id IS NULL) EXECUTE FUNCTION _campus.fill_alert();
CREATE TRIGGER issues_insert_fill BEFORE INSERT ON campus.issues
    FOR EACH ROW WHEN (NEW.campus_id IS NULL OR NEW.organization_id IS NULL) EXECUTE FUNCTION _campus.fill_issue();
CREATE TRIGGER issues_write_keep BEFORE INSERT OR UPDATE ON campus.issues
    FOR EACH ROW EXECUTE FUNCTION _campus.keep_issue();

-- The scripts of pg_dump switch row_security off: what a restore loads is no news.
CREATE TRIGGER issues_insert_refresh AFTER INSERT ON campus.issues REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT WHEN (current_setting('row_security') = 'on') EXECUTE FUNCTION _campus.on_issues();
CREATE TRIGGER issues_update_refresh AFTER UPDATE ON campus.issues REFERENCING OLD TABLE AS was NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION _campus.on_issues();
CREATE TRIGGER issues_delete_refresh AFTER DELETE ON campus.issues REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION _campus.on_issues();

CREATE TRIGGER issues_truncate_refresh AFTER TRUNCATE ON campus.issues
    FOR EACH STATEMENT EXECUTE FUNCTION _campus.on_issues();
-- An issue without a position of its own is where its building is.
CREATE TRIGGER buildings_update_refresh AFTER UPDATE OF latitude, longitude ON campus.buildings
    FOR EACH ROW WHEN ((OLD.latitude, OLD.longitude) IS DISTINCT FROM (NEW.latitude, NEW.longitude)) EXECUTE FUNCTION _campus.on_building_moved();

CREATE TRIGGER members_delete_evict AFTER DELETE ON campus.members
    FOR EACH ROW EXECUTE FUNCTION _campus.on_member_gone();
CREATE TRIGGER members_update_evict AFTER UPDATE OF user_id, organization_id ON campus.members
    FOR EACH ROW WHEN ((NEW.user_id, NEW.organization_id) IS DISTINCT FROM (OLD.user_id, OLD.organization_id)) EXECUTE FUNCTION _campus.on_member_gone();
CREATE TRIGGER members_truncate_evict BEFORE TRUNCATE ON campus.members
    FOR EACH STATEMENT EXECUTE FUNCTION _campus.on_member_gone();
CREATE TRIGGER organizations_delete_evict AFTER DELETE ON campus.organizations
    FOR EACH ROW EXECUTE FUNCTION _campus.on_place_gone('org', 'heatmap');
CREATE TRIGGER organizations_update_evict AFTER UPDATE OF id ON campus.organizations
    FOR EACH ROW WHEN (NEW.id <> OLD.id) EXECUTE FUNCTION _campus.on_place_gone('org', 'heatmap');
CREATE TRIGGER organizations_truncate_evict BEFORE TRUNCATE ON campus.organizations
    FOR EACH STATEMENT EXECUTE FUNCTION _campus.on_place_gone('org', 'heatmap');
CREATE TRIGGER campuses_delete_evict AFTER DELETE ON campus.campuses
    FOR EACH ROW EXECUTE FUNCTION _campus.on_place_gone('campus');
CREATE TRIGGER campuses_update_evict AFTER UPDATE OF id, organization_id ON campus.campuses
    FOR EACH ROW WHEN ((NEW.id, NEW.organization_id) IS DISTINCT FROM (OLD.id, OLD.organization_id)) EXECUTE FUNCTION _campus.on_place_gone('campus');
CREATE TRIGGER campuses_truncate_evict BEFORE TRUNCATE ON campus.campuses
    FOR EACH STATEMENT EXECUTE FUNCTION _campus.on_place_gone('campus');
CREATE TRIGGER buildings_delete_evict AFTER DELETE ON campus.buildings
    FOR EACH ROW EXECUTE FUNCTION _campus.on_place_gone('building');
CREATE TRIGGER buildings_update_evict AFTER UPDATE OF id, organization_id ON campus.buildings
    FOR EACH ROW WHEN ((NEW.id, NEW.organization_id) IS DISTINCT FROM (OLD.id, OLD.organization_id)) EXECUTE FUNCTION _campus.on_place_gone('building');
CREATE TRIGGER buildings_truncate_evict BEFORE TRUNCATE ON campus.buildings
    FOR EACH STATEMENT EXECUTE FUNCTION _campus.on_place_gone('building');
