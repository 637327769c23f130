-- How much a user may send of each class, asked as the bridge asks. Buckets outlive a test's transaction: users have new names each time.
BEGIN;
SELECT plan(8);

CREATE TEMPORARY TABLE who AS SELECT 'cus' || gen_random_uuid() AS customer, 'por' || gen_random_uuid() AS porter, 'adm' || gen_random_uuid() AS admin;
INSERT INTO moves.orders (id, customer_id, porter_id, status) SELECT 'o1', customer, porter, 'assigned' FROM who;

-- of so many calls how many passed; how the others were refused goes into a setting
CREATE FUNCTION pg_temp.passed(user_id text, role text, namespace text, event text, args json, calls integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_passed integer := 0;
BEGIN
    FOR n IN 1..calls LOOP
        BEGIN
            PERFORM pulse.handle(namespace, event, args, json_build_object('claims', json_build_object('role', role), 'userId', user_id, 'sessionId', 's1', 'namespace', namespace));
            v_passed := v_passed + 1;
        EXCEPTION WHEN SQLSTATE 'PL429' THEN
            PERFORM set_config('t.refused', SQLSTATE, true);
        END;
    END LOOP;
    RETURN v_passed;
END
$$;

SELECT is(pg_temp.passed(customer, 'customer', '/client', 'order:subscribe', '[{"orderId":"o1"}]', 110), 100, 'M7: general 100 in a minute') FROM who;
SELECT is(current_setting('t.refused', true), 'PL429', 'M7: the others are refused as too many');
SELECT is(pg_temp.passed(customer, 'customer', '/client', 'order:unsubscribe', '[{"orderId":"o1"}]', 3), 0, 'M7: over all events of the class') FROM who;
SELECT is(pg_temp.passed(customer, 'customer', '/client', 'chat:message:send', '[{"orderId":"o1","message":"x"}]', 60), 50, 'M7: chat 50') FROM who;
SELECT is(pg_temp.passed(porter, 'porter', '/porter', 'location:update', '[{"latitude":1,"longitude":1}]', 1005), 1000, 'M7: location 1000') FROM who;
SELECT is(pg_temp.passed(porter, 'porter', '/porter', 'porter:availability', '[{"available":true}]', 5), 5, 'M7: each class by itself, each user too') FROM who;
SELECT pulse.limit('chat', 3, '60 s');
SELECT is(pg_temp.passed(admin, 'admin', '/admin', 'chat:message:send', '[{"orderId":"o1","message":"x"}]', 5), 3, 'M7: a limit of the application counts at once') FROM who;
SELECT pulse.drop_limit('chat');
SELECT is(pg_temp.passed(porter, 'porter', '/porter', 'chat:message:send', '[{"orderId":"o1","message":"x"}]', 51), 50, 'M7: without it the pack''s is back') FROM who;

SELECT * FROM finish();
ROLLBACK;
