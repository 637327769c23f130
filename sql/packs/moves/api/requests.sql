-- What clients read by HTTP.

CREATE OR REPLACE FUNCTION moves.get_order(request json) RETURNS json
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT moves.order_json(_moves.require_order(get_order.request -> 'params' ->> 'id'))
$$;
COMMENT ON FUNCTION moves.get_order(json) IS 'GET /api/v1/orders/{id}: the order';
REVOKE EXECUTE ON FUNCTION moves.get_order(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION moves.get_order(json) TO pulse_client;

CREATE OR REPLACE FUNCTION moves.get_messages(request json) RETURNS json
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_order  moves.orders := _moves.require_order(get_messages.request -> 'params' ->> 'id');
    v_before text := get_messages.request -> 'query' ->> 'before';
    v_most   integer := pulse.page_size(get_messages.request, 200, 50);
    v_last   moves.messages;
    v_items  json;
    v_next   uuid;
BEGIN
    IF v_before IS NOT NULL THEN
        SELECT * INTO v_last FROM moves.messages m WHERE m.id = pulse.to_uuid(v_before) AND m.order_id = v_order.id;
        IF NOT FOUND THEN
            PERFORM pulse.fail('invalid', 'before must be the messageId of a message of this order', 'Send next of the answer before, or leave it out.');
        END IF;
    END IF;
    -- one more than asked for tells whether there is another page
    SELECT coalesce(json_agg(moves.message_json(row (p.id, p.order_id, p.sender_id, p.sender_role, p.message, p.created_at)::moves.messages)
                             ORDER BY p.n) FILTER (WHERE p.n <= v_most), '[]'),
           (array_agg(p.id ORDER BY p.n) FILTER (WHERE p.n = v_most AND p.total > v_most))[1]
      INTO v_items, v_next
      FROM (SELECT q.*, row_number() OVER (ORDER BY q.created_at DESC, q.id DESC) AS n, count(*) OVER () AS total
              FROM (SELECT m.* FROM moves.messages m
                     WHERE m.order_id = v_order.id AND (v_before IS NULL OR (m.created_at, m.id) < (v_last.created_at, v_last.id))
                     ORDER BY m.created_at DESC, m.id DESC LIMIT v_most + 1) AS q) AS p;
    RETURN json_build_object('items', v_items, 'next', v_next);
END
$$;
COMMENT ON FUNCTION moves.get_messages(json) IS
    'GET /api/v1/orders/{id}/messages?before=&limit=: {items, next}, newest first; next is the before of the next page';
REVOKE EXECUTE ON FUNCTION moves.get_messages(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION moves.get_messages(json) TO pulse_client;

-- Only while the porter is about the order: where somebody is before or afterwards is not the customer's business.
CREATE OR REPLACE FUNCTION moves.get_location(request json) RETURNS json
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_order    moves.orders := _moves.require_order(get_location.request -> 'params' ->> 'id');
    v_position json;
BEGIN
    IF v_order.status IN ('assigned', 'arrived', 'loading', 'in_transit') THEN
        v_position := moves.last_position(v_order.porter_id);
    END IF;
    IF v_position IS NULL THEN
        PERFORM pulse.fail('not_found', 'no position is known', 'It is there while a porter is about the order and was heard of lately.');
    END IF;
    RETURN (jsonb_build_object('orderId', v_order.id) || v_position::jsonb)::json;
END
$$;
COMMENT ON FUNCTION moves.get_location(json) IS 'GET /api/v1/orders/{id}/location: where the porter of an active order is';
REVOKE EXECUTE ON FUNCTION moves.get_location(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION moves.get_location(json) TO pulse_client;
