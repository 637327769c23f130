-- In a few lines each, what clients of four systems expect of their server. (The fifth is the pack pulse_donors.)
CREATE SCHEMA systems;
GRANT USAGE ON SCHEMA systems TO pulse_client;

-- Care circles: members of a family, in its room from the start.
CREATE TABLE systems.members (family_id text, user_id text);
INSERT INTO systems.members VALUES ('f1', 'mother'), ('f1', 'nurse'), ('f2', 'stranger');
CREATE FUNCTION systems.is_member(family text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
    RETURN EXISTS (SELECT FROM systems.members WHERE family_id = family AND user_id = pulse.user_id());
CREATE FUNCTION systems.family_policy(claims json, room text, params json) RETURNS boolean LANGUAGE sql STABLE
    RETURN systems.is_member(params ->> 'id');
CREATE FUNCTION systems.join_family(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN PERFORM pulse.join('family:' || (args -> 0 ->> 'familyId')); RETURN '{"ok":true}'; END $$;
CREATE FUNCTION systems.send_message(args json) RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF NOT systems.is_member(args -> 0 ->> 'familyId') THEN PERFORM pulse.fail('forbidden', 'Not a family member'); END IF;
    PERFORM pulse.publish('family:' || (args -> 0 ->> 'familyId'), 'message', json_build_object('from', pulse.user_id(), 'message', args -> 0 -> 'message'));
    RETURN '{"ok":true}';
END $$;
CREATE FUNCTION systems.typing(args json) RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pulse.publish('family:' || (args -> 0 ->> 'channelId'), 'typing:start', json_build_object('userId', pulse.user_id()), except_session => pulse.session_id());
    RETURN NULL;
END $$;
SELECT pulse.policy('family:{id}', 'join', 'systems.family_policy');
SELECT pulse.policy('family:{id}', 'history', 'systems.family_policy');
SELECT pulse.on('join:family', 'systems.join_family');
SELECT pulse.on('family:send-message', 'systems.send_message');
SELECT pulse.on('typing:start', 'systems.typing');

-- SOS cases: who has a case in the token is in its room, and tells it where they are. In the same namespace families join at connect.
CREATE FUNCTION systems.connect(claims json) RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
    RETURN (SELECT json_build_object('rooms', coalesce(json_agg(room), '[]')) FROM (
        SELECT 'sos:' || (claims ->> 'sosId') WHERE claims ->> 'sosId' IS NOT NULL
        UNION ALL SELECT 'family:' || m.family_id FROM systems.members m WHERE m.user_id = claims ->> 'userId') AS rooms(room));
CREATE FUNCTION systems.locate(args json) RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pulse.publish('sos:' || pulse.claim('sosId'), 'location:broadcast', json_build_object('sosId', pulse.claim('sosId'), 'userId', pulse.user_id(),
        'role', pulse.claim('role'), 'latitude', args -> 0 -> 'latitude', 'longitude', args -> 0 -> 'longitude'), except_session => pulse.session_id());
    RETURN '{"ok":true,"throttled":false}';
END $$;
SELECT pulse.namespace('/', 'systems.connect');
SELECT pulse.on('location:update', 'systems.locate');

-- Campus issues: a stream on the path where the dashboards look for it.
CREATE FUNCTION systems.issue_stream(request json) RETURNS json LANGUAGE plpgsql STABLE AS $$
DECLARE v_organization text := request -> 'query' ->> 'organizationId';
BEGIN
    IF v_organization IS DISTINCT FROM pulse.claim('organizationId') THEN PERFORM pulse.fail('forbidden', 'not your organization'); END IF;
    RETURN json_build_object('rooms', json_build_array('org:' || v_organization), 'events', '["issue:created","issue:resolved"]'::json);
END $$;
SELECT pulse.stream('/api/realtime/issues/stream', 'systems.issue_stream');

-- Moving orders: a namespace for each role, one room for an order.
CREATE FUNCTION systems.connect_moves(claims json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    IF claims ->> 'role' NOT IN ('customer', 'porter', 'admin') THEN PERFORM pulse.fail('forbidden', 'the role does not fit the namespace'); END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION systems.connect_porter(claims json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    IF claims ->> 'role' IS DISTINCT FROM 'porter' THEN PERFORM pulse.fail('forbidden', 'the role does not fit the namespace'); END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION systems.order_policy(claims json, room text, params json) RETURNS boolean LANGUAGE sql STABLE
    RETURN claims ->> 'role' = 'admin' OR claims ->> 'orderId' = params ->> 'id';
CREATE FUNCTION systems.subscribe_order(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN PERFORM pulse.join('order:' || (args -> 0 ->> 'orderId')); RETURN json_build_object('ok', true, 'order', json_build_object('orderId', args -> 0 ->> 'orderId')); END $$;
CREATE FUNCTION systems.porter_location(args json) RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pulse.publish('order:' || (args -> 0 ->> 'orderId'), 'location:updated', json_build_object('orderId', args -> 0 ->> 'orderId', 'porterId', pulse.user_id(),
        'latitude', args -> 0 -> 'latitude', 'longitude', args -> 0 -> 'longitude'), except_session => pulse.session_id());
    RETURN '{"ok":true}';
END $$;
SELECT pulse.namespace('/client', 'systems.connect_moves'), pulse.namespace('/admin', 'systems.connect_moves'), pulse.namespace('/porter', 'systems.connect_porter');
SELECT pulse.policy('order:{id}', 'join', 'systems.order_policy');
SELECT pulse.on('order:subscribe', 'systems.subscribe_order', namespace => name) FROM unnest(ARRAY['/client', '/porter', '/admin']) name;
SELECT pulse.on('location:update', 'systems.porter_location', namespace => '/porter');
