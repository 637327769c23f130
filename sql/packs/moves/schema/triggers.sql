-- Triggers that complete and follow rows. The events of these tables are in schema/events.sql and, where a payload needs another
-- table, in api/offers.sql. The scripts of pg_dump switch row_security off: rows that a restore loads are no news.

CREATE TRIGGER orders_update_touch BEFORE UPDATE ON moves.orders
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION _moves.touch();
CREATE TRIGGER porters_update_touch BEFORE UPDATE ON moves.porters
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION _moves.touch();
CREATE TRIGGER orders_update_change AFTER UPDATE ON moves.orders
    FOR EACH ROW WHEN ((OLD.id, OLD.customer_id, OLD.porter_id, OLD.status) IS DISTINCT FROM (NEW.id, NEW.customer_id, NEW.porter_id, NEW.status))
    EXECUTE FUNCTION _moves.on_order_changed();
CREATE TRIGGER orders_delete_change AFTER DELETE ON moves.orders
    FOR EACH ROW EXECUTE FUNCTION _moves.on_order_changed();
CREATE TRIGGER orders_truncate_change BEFORE TRUNCATE ON moves.orders
    FOR EACH STATEMENT EXECUTE FUNCTION _moves.on_order_changed();

CREATE TRIGGER job_offers_insert_offer AFTER INSERT ON moves.job_offers
    FOR EACH ROW WHEN (NEW.status = 'pending' AND current_setting('row_security') = 'on') EXECUTE FUNCTION _moves.on_offer();
CREATE TRIGGER job_offers_update_closed AFTER UPDATE ON moves.job_offers
    FOR EACH ROW WHEN (OLD.status = 'pending' AND NEW.status <> 'pending') EXECUTE FUNCTION _moves.on_offer_closed();
-- While the porters are still known, whom a cascade deletes first.
CREATE TRIGGER job_offers_delete_closed BEFORE DELETE ON moves.job_offers
    FOR EACH ROW WHEN (OLD.status = 'pending') EXECUTE FUNCTION _moves.on_offer_deleted();
CREATE TRIGGER job_offers_update_expiry AFTER UPDATE OF expires_at ON moves.job_offers
    FOR EACH ROW WHEN (NEW.status = 'pending' AND NEW.expires_at < OLD.expires_at) EXECUTE FUNCTION _moves.on_offer_shortened();
CREATE TRIGGER job_offer_porters_insert_offered AFTER INSERT ON moves.job_offer_porters
    FOR EACH ROW WHEN (current_setting('row_security') = 'on') EXECUTE FUNCTION _moves.on_offered();

CREATE TRIGGER messages_insert_waiting AFTER INSERT ON moves.messages
    FOR EACH ROW WHEN (current_setting('row_security') = 'on') EXECUTE FUNCTION _moves.on_message();

CREATE TRIGGER porter_positions_insert_purge AFTER INSERT ON moves.porter_positions
    FOR EACH ROW WHEN (current_setting('row_security') = 'on') EXECUTE FUNCTION _moves.on_perishable();
CREATE TRIGGER subscriptions_insert_purge AFTER INSERT ON _moves.subscriptions
    FOR EACH ROW WHEN (current_setting('row_security') = 'on') EXECUTE FUNCTION _moves.on_perishable();
