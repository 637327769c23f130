-- The variant that everybody writes by hand: a plpgsql trigger that sends the row's fields by pg_notify.
CREATE FUNCTION bench.notify_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('bench', json_build_object('orderId', NEW.id, 'customerId', NEW.customer_id, 'region', NEW.region,
        'status', NEW.status, 'units', NEW.units, 'latitude', NEW.latitude, 'longitude', NEW.longitude,
        'createdAt', NEW.created_at)::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER orders_insert_notify AFTER INSERT ON bench.orders FOR EACH ROW EXECUTE FUNCTION bench.notify_order();
CREATE FUNCTION bench.notify_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('bench', json_build_object('room', NEW.room, 'body', NEW.body)::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER messages_insert_notify AFTER INSERT ON bench.messages FOR EACH ROW EXECUTE FUNCTION bench.notify_message();
