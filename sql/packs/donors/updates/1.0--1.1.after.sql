-- After the parts of api/: what 1.0 had of its own and 1.1 finds in pulse.
DROP FUNCTION _donors.iso(timestamptz), _donors.to_uuid(text), _donors.room_part(text), _donors.require_user(), _donors.require_object(json, text),
    _donors.coordinate(json, text, integer);

DROP TRIGGER blood_requests_insert_fan_out ON donors.blood_requests;
DROP FUNCTION _donors.on_request();
CREATE TRIGGER blood_requests_insert_fan_out AFTER INSERT ON donors.blood_requests
    FOR EACH ROW EXECUTE FUNCTION _donors.enqueue_row('queue=donors', 'function=donors.fan_out', 'args={"requestId":"{id}"}', 'where=status=open', 'restored=skip');
CREATE TRIGGER blood_requests_update_closed AFTER UPDATE OF status ON donors.blood_requests
    FOR EACH ROW WHEN (NEW.status NOT IN ('open', 'matched') AND OLD.status IN ('open', 'matched'))
    EXECUTE FUNCTION _donors.enqueue_row('queue=donors', 'function=donors.stop_notifications', 'args={"requestId":"{id}"}');
