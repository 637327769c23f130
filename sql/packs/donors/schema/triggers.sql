-- Triggers that complete and follow rows. The events of these tables are in schema/events.sql.

CREATE TRIGGER presence_insert_fill BEFORE INSERT ON donors.presence
    FOR EACH ROW WHEN (NEW.blood_group IS NULL OR NEW.country_code IS NULL) EXECUTE FUNCTION _donors.fill_presence();
CREATE TRIGGER donors_update_presence AFTER UPDATE OF blood_group, country_code ON donors.donors
    FOR EACH ROW EXECUTE FUNCTION _donors.follow_donor();
CREATE TRIGGER donors_delete_presence AFTER DELETE ON donors.donors
    FOR EACH ROW EXECUTE FUNCTION _donors.follow_donor();
-- The scripts of pg_dump switch row_security off: a restore brings the waiting job along, and its rows are no news.
CREATE TRIGGER presence_insert_expiry AFTER INSERT ON donors.presence
    FOR EACH STATEMENT WHEN (current_setting('row_security') = 'on') EXECUTE FUNCTION _donors.on_available();
CREATE TRIGGER presence_update_expiry AFTER UPDATE ON donors.presence
    FOR EACH ROW WHEN (NEW.is_available AND NOT OLD.is_available) EXECUTE FUNCTION _donors.on_available();

CREATE TRIGGER hospitals_update_touch BEFORE UPDATE ON donors.hospitals
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION _donors.touch();
CREATE TRIGGER blood_inventory_update_touch BEFORE UPDATE ON donors.blood_inventory
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION _donors.touch();
CREATE TRIGGER blood_requests_update_touch BEFORE UPDATE ON donors.blood_requests
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION _donors.touch();

CREATE TRIGGER blood_inventory_write_fill BEFORE INSERT OR UPDATE OF hospital_id, country_code ON donors.blood_inventory
    FOR EACH ROW EXECUTE FUNCTION _donors.fill_inventory();
CREATE TRIGGER blood_requests_insert_fill BEFORE INSERT ON donors.blood_requests
    FOR EACH ROW WHEN (NEW.hospital_id IS NOT NULL AND NEW.hospital_name IS NULL) EXECUTE FUNCTION _donors.fill_request();
CREATE TRIGGER blood_request_responses_insert_fill BEFORE INSERT ON donors.blood_request_responses
    FOR EACH ROW WHEN (NEW.distance_km IS NULL) EXECUTE FUNCTION _donors.fill_response();

-- Only a new, open request alerts donors; one that a restore loads alerts nobody.
CREATE TRIGGER blood_requests_insert_fan_out AFTER INSERT ON donors.blood_requests
    FOR EACH ROW EXECUTE FUNCTION _donors.enqueue_row('queue=donors', 'function=donors.fan_out', 'args={"requestId":"{id}"}', 'where=status=open', 'restored=skip');
CREATE TRIGGER blood_requests_update_closed AFTER UPDATE OF status ON donors.blood_requests
    FOR EACH ROW WHEN (NEW.status NOT IN ('open', 'matched') AND OLD.status IN ('open', 'matched'))
    EXECUTE FUNCTION _donors.enqueue_row('queue=donors', 'function=donors.stop_notifications', 'args={"requestId":"{id}"}');
