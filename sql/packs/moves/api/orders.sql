-- Who may see an order, how clients read it, and what follows from its changes.

-- The one rule of access: customers see their own orders, porters those assigned to them, admins any.
CREATE OR REPLACE FUNCTION _moves.may_see(target moves.orders) RETURNS boolean
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(CASE pulse.claim('role')
                    WHEN 'customer' THEN (may_see.target).customer_id = pulse.user_id()
                    WHEN 'porter'   THEN (may_see.target).porter_id = pulse.user_id()
                    WHEN 'admin'    THEN pulse.user_id() IS NOT NULL END, false);
END;
COMMENT ON FUNCTION _moves.may_see(moves.orders) IS 'whether who asks may see an order: its customer, its porter, an admin';

-- An order that is not there is refused like a foreign one, so that nobody learns ids by asking; admins are told.
CREATE OR REPLACE FUNCTION _moves.require_order(id text) RETURNS moves.orders
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_order moves.orders;
BEGIN
    SELECT * INTO v_order FROM moves.orders o WHERE o.id = require_order.id;
    IF NOT FOUND AND pulse.claim('role') = 'admin' THEN
        PERFORM pulse.fail('not_found', format('there is no order %s', require_order.id), 'Its id is orderId in the events of orders.');
    END IF;
    IF v_order.id IS NULL OR NOT _moves.may_see(v_order) THEN
        PERFORM pulse.fail('forbidden', 'this order is not yours', 'Customers see their own orders, porters those assigned to them, admins any.');
    END IF;
    RETURN v_order;
END
$$;
COMMENT ON FUNCTION _moves.require_order(text) IS 'the order of an id that a client sent when it may see it, or an error';

CREATE OR REPLACE FUNCTION moves.order_json(target moves.orders) RETURNS json
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT json_strip_nulls(json_build_object(
               'orderId', (order_json.target).id,
               'id', (order_json.target).id,
               'customerId', (order_json.target).customer_id,
               'porterId', (order_json.target).porter_id,
               'status', (order_json.target).status,
               'pickupLatitude', (order_json.target).pickup_latitude,
               'pickupLongitude', (order_json.target).pickup_longitude,
               'dropoffLatitude', (order_json.target).dropoff_latitude,
               'dropoffLongitude', (order_json.target).dropoff_longitude,
               'createdAt', pulse.iso8601((order_json.target).created_at),
               'updatedAt', pulse.iso8601((order_json.target).updated_at)));
END;
COMMENT ON FUNCTION moves.order_json(moves.orders) IS 'an order as clients read it';

CREATE OR REPLACE FUNCTION _moves.touch() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _moves.touch() IS 'trigger: updated_at of a changed row, unless the UPDATE sets it';

-- Before the event of the same change (triggers fire by name): who lost the order does not hear what happens to it next.
CREATE OR REPLACE FUNCTION _moves.on_order_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user text;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM pulse.evict('order:' || pulse.room_part(o.id), reason => 'the order was deleted') FROM moves.orders o;
        RETURN NULL;
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM pulse.evict('order:' || pulse.room_part(OLD.id), reason => 'the order was deleted');
        RETURN NULL;
    ELSIF NEW.id <> OLD.id THEN
        PERFORM pulse.evict('order:' || pulse.room_part(OLD.id), reason => 'the order has another id');
    END IF;
    FOR v_user IN
        SELECT gone FROM unnest(ARRAY[OLD.customer_id, OLD.porter_id]) AS gone
         WHERE gone IS NOT NULL AND gone <> NEW.customer_id AND gone IS DISTINCT FROM NEW.porter_id
    LOOP
        PERFORM pulse.evict('order:' || pulse.room_part(OLD.id), v_user, 'the order was given to somebody else');
        DELETE FROM _moves.subscriptions s WHERE s.user_id = v_user AND s.order_id = OLD.id;
        DELETE FROM _moves.waiting w WHERE w.user_id = v_user AND w.order_id = OLD.id;
    END LOOP;
    IF NEW.status NOT IN ('created', 'offered') THEN
        UPDATE moves.job_offers j SET status = 'cancelled' WHERE j.order_id = NEW.id AND j.status = 'pending';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _moves.on_order_changed() IS
    'trigger: takes who lost an order out of its room; cancels the offers of an order that is no longer on offer';
