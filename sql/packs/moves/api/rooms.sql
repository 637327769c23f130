-- Who connects to which namespace, who may be in order:{id}, and who watches which order.

-- A reconnect token brings back the rooms of its device, as far as its user may still see those orders.
CREATE OR REPLACE FUNCTION _moves.connect(role text, namespace text) RETURNS json
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_orders text[];
    v_order  text;
BEGIN
    PERFORM _moves.require_role(ARRAY[connect.role], format('the namespace %s', connect.namespace));
    IF pulse.claim('use') IS DISTINCT FROM 'reconnect' THEN
        RETURN NULL;
    END IF;
    SELECT coalesce(array_agg(DISTINCT o.id ORDER BY o.id), '{}') INTO v_orders
      FROM _moves.subscriptions s
      JOIN moves.orders o ON o.id = s.order_id
     WHERE s.user_id = pulse.user_id() AND s.device_id IN ('', pulse.claim('deviceId'))
       AND s.subscribed_at > now() - moves.subscription_ttl() AND _moves.may_see(o);
    FOREACH v_order IN ARRAY v_orders LOOP
        PERFORM _moves.deliver_waiting(v_order);
    END LOOP;
    RETURN json_build_object('rooms', (SELECT coalesce(json_agg('order:' || pulse.room_part(o.id)), '[]') FROM unnest(v_orders) AS o (id)));
END
$$;
COMMENT ON FUNCTION _moves.connect(text, text) IS 'lets a role into its namespace; the rooms of a reconnect token';

CREATE OR REPLACE FUNCTION moves.connect_client(claims json) RETURNS json
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$ SELECT _moves.connect('customer', '/client') $$;
COMMENT ON FUNCTION moves.connect_client(json) IS 'connect: /client is for customers; a reconnect token brings rooms back';

CREATE OR REPLACE FUNCTION moves.connect_porter(claims json) RETURNS json
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$ SELECT _moves.connect('porter', '/porter') $$;
COMMENT ON FUNCTION moves.connect_porter(json) IS 'connect: /porter is for porters; a reconnect token brings rooms back';

CREATE OR REPLACE FUNCTION moves.connect_admin(claims json) RETURNS json
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$ SELECT _moves.connect('admin', '/admin') $$;
COMMENT ON FUNCTION moves.connect_admin(json) IS 'connect: /admin is for admins; a reconnect token brings rooms back';

REVOKE EXECUTE ON FUNCTION moves.connect_client(json), moves.connect_porter(json), moves.connect_admin(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION moves.connect_client(json), moves.connect_porter(json), moves.connect_admin(json) TO pulse_client;

CREATE OR REPLACE FUNCTION moves.may_join_order(claims json, room text, params json) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM moves.orders o WHERE o.id = may_join_order.params ->> 'id' AND _moves.may_see(o))
$$;
COMMENT ON FUNCTION moves.may_join_order(json, text, json) IS 'policy: order:{id} for its customer, its porter and admins';
REVOKE EXECUTE ON FUNCTION moves.may_join_order(json, text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION moves.may_join_order(json, text, json) TO pulse_client;

CREATE OR REPLACE FUNCTION moves.on_order_subscribe(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user  text := _moves.require_role('{customer,porter,admin}', 'an order');
    v_input json := pulse.input_object(args -> 0, '{"orderId":"…"}');
    v_order moves.orders := _moves.require_order(pulse.input_text(v_input, 'orderId', 200, true));
BEGIN
    PERFORM pulse.join('order:' || pulse.room_part(v_order.id));
    INSERT INTO _moves.subscriptions AS s (user_id, device_id, order_id)
    VALUES (v_user, coalesce(pulse.claim('deviceId'), ''), v_order.id)
        ON CONFLICT ON CONSTRAINT subscriptions_pkey DO UPDATE SET subscribed_at = excluded.subscribed_at;
    PERFORM _moves.deliver_waiting(v_order.id);
    RETURN json_build_object('ok', true, 'order', moves.order_json(v_order));
END
$$;
COMMENT ON FUNCTION moves.on_order_subscribe(json) IS
    'order:subscribe {orderId}: joins order:{orderId}, sends what waited of its chat; {ok, order}';
REVOKE EXECUTE ON FUNCTION moves.on_order_subscribe(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION moves.on_order_subscribe(json) TO pulse_client;

CREATE OR REPLACE FUNCTION moves.on_order_unsubscribe(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user  text := _moves.require_role('{customer,porter,admin}', 'an order');
    v_input json := pulse.input_object(args -> 0, '{"orderId":"…"}');
    v_order moves.orders := _moves.require_order(pulse.input_text(v_input, 'orderId', 200, true));
BEGIN
    PERFORM pulse.leave('order:' || pulse.room_part(v_order.id));
    DELETE FROM _moves.subscriptions s
     WHERE s.user_id = v_user AND s.device_id IN ('', pulse.claim('deviceId')) AND s.order_id = v_order.id;
    RETURN json_build_object('ok', true, 'order', moves.order_json(v_order));
END
$$;
COMMENT ON FUNCTION moves.on_order_unsubscribe(json) IS 'order:unsubscribe {orderId}: leaves order:{orderId}; {ok, order}';
REVOKE EXECUTE ON FUNCTION moves.on_order_unsubscribe(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION moves.on_order_unsubscribe(json) TO pulse_client;
