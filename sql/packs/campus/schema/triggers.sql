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
CREATE TRIGGER issues_update_refresh AFTER UPDATE ON campus.issues REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION _campus.on_issues();
CREATE TRIGGER issues_delete_refresh AFTER DELETE ON campus.issues REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION _campus.on_issues();

CREATE TRIGGER members_delete_evict AFTER DELETE ON campus.members
    FOR EACH ROW EXECUTE FUNCTION _campus.on_member_gone();
