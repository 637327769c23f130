-- What ends by time. Whoever reads honours the time at once; these jobs take the rows away, and tell the porters of an offer.

CREATE OR REPLACE FUNCTION moves.expire_offer(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_offer moves.job_offers;
BEGIN
    SELECT * INTO v_offer FROM moves.job_offers j WHERE j.id = expire_offer.args ->> 'offerId' FOR UPDATE;
    IF NOT FOUND OR v_offer.status <> 'pending' THEN
        RETURN json_build_object('expired', false);
    END IF;
    IF v_offer.expires_at > clock_timestamp() THEN       -- it was prolonged
        PERFORM _moves.arm_offer(v_offer.id, v_offer.expires_at);
        RETURN json_build_object('expired', false);
    END IF;
    UPDATE moves.job_offers j SET status = 'expired' WHERE j.id = v_offer.id;
    RETURN json_build_object('expired', true);
END
$$;
COMMENT ON FUNCTION moves.expire_offer(json) IS 'job: ends a job offer whose time is over, which tells its porters';
REVOKE EXECUTE ON FUNCTION moves.expire_offer(json) FROM PUBLIC;

CREATE OR REPLACE FUNCTION _moves.arm_offer(id text, at timestamptz) RETURNS bigint
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pulse.enqueue('moves', 'sql',
        json_build_object('function', 'moves.expire_offer', 'args', json_build_object('offerId', arm_offer.id)),
        run_at => arm_offer.at, unique_key => 'moves.expire_offer:' || arm_offer.id, unique_mode => 'replace')
$$;
COMMENT ON FUNCTION _moves.arm_offer(text, timestamptz) IS 'sees to it that moves.expire_offer runs at that time, in place of the time that was said before';

CREATE OR REPLACE FUNCTION moves.purge(args json DEFAULT NULL) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_positions     bigint;
    v_subscriptions bigint;
BEGIN
    -- rows that somebody is writing right now are not old
    DELETE FROM moves.porter_positions p WHERE p.porter_id = ANY (ARRAY(
        SELECT o.porter_id FROM moves.porter_positions o WHERE o.expires_at <= now() FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS v_positions = ROW_COUNT;
    DELETE FROM _moves.subscriptions s WHERE s.ctid = ANY (ARRAY(
        SELECT o.ctid FROM _moves.subscriptions o WHERE o.subscribed_at <= now() - moves.subscription_ttl() FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS v_subscriptions = ROW_COUNT;
    IF EXISTS (SELECT FROM moves.porter_positions) OR EXISTS (SELECT FROM _moves.subscriptions) THEN
        PERFORM _moves.arm_purge();
    END IF;
    RETURN json_build_object('positions', v_positions, 'subscriptions', v_subscriptions);
END
$$;
COMMENT ON FUNCTION moves.purge(json) IS 'job: deletes positions and subscriptions whose time is over, and runs again while there are any';
REVOKE EXECUTE ON FUNCTION moves.purge(json) FROM PUBLIC;

CREATE OR REPLACE FUNCTION _moves.arm_purge() RETURNS bigint
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pulse.enqueue('moves', 'sql', '{"function":"moves.purge","args":{}}'::json, priority => 10,
        run_at => now() + least(moves.location_ttl() / 4, moves.subscription_ttl() / 4, interval '5 min'), unique_key => 'moves.purge')
$$;
COMMENT ON FUNCTION _moves.arm_purge() IS 'sees to it that moves.purge runs; once, however often it is called';

CREATE OR REPLACE FUNCTION _moves.on_perishable() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM _moves.arm_purge();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _moves.on_perishable() IS 'trigger: there is a row that ends by time';
