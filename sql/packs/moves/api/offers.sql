-- Job offers. Whatever writes the tables, handlers or an application's SQL, the triggers here tell the porters and assign the order.
-- An acceptance locks the order first, then the offer: of all acceptances of all offers of one order exactly one wins.

CREATE OR REPLACE FUNCTION _moves.on_offer() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE moves.orders o SET status = 'offered' WHERE o.id = NEW.order_id AND o.status = 'created';
    PERFORM _moves.arm_offer(NEW.id, NEW.expires_at);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _moves.on_offer() IS 'trigger: a new order becomes offered, and the offer will expire';

CREATE OR REPLACE FUNCTION _moves.on_offer_shortened() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM _moves.arm_offer(NEW.id, NEW.expires_at);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _moves.on_offer_shortened() IS 'trigger: an offer expires earlier (one that is prolonged is looked at again at its first time)';

CREATE OR REPLACE FUNCTION _moves.on_offered() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pulse.publish('user:' || pulse.room_part(NEW.porter_id), 'job:offer',
        json_build_object('offerId', j.id, 'orderId', o.id,
            'pickup', _moves.position_json(o.pickup_latitude, o.pickup_longitude),
            'dropoff', _moves.position_json(o.dropoff_latitude, o.dropoff_longitude),
            'expiresAt', pulse.iso8601(j.expires_at)),
        partition_key => o.id)
       FROM moves.job_offers j
       JOIN moves.orders o ON o.id = j.order_id
      WHERE j.id = NEW.offer_id AND j.status = 'pending' AND j.expires_at > now();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _moves.on_offered() IS 'trigger: tells a porter of a job offer';

CREATE OR REPLACE FUNCTION _moves.tell_closed(offer moves.job_offers) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pulse.publish('user:' || pulse.room_part(p.porter_id), 'job:offer:closed',
        json_build_object('offerId', offer.id, 'status', offer.status, 'won', offer.accepted_by IS NOT DISTINCT FROM p.porter_id),
        partition_key => offer.order_id)
       FROM moves.job_offer_porters p
      WHERE p.offer_id = offer.id;
END
$$;
COMMENT ON FUNCTION _moves.tell_closed(moves.job_offers) IS 'tells the porters of an offer that it is closed';

CREATE OR REPLACE FUNCTION _moves.on_offer_deleted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_offer moves.job_offers := OLD;
BEGIN
    v_offer.status := 'cancelled';
    PERFORM _moves.tell_closed(v_offer);
    RETURN OLD;
END
$$;
COMMENT ON FUNCTION _moves.on_offer_deleted() IS 'trigger: a pending offer that is deleted is cancelled for its porters';

CREATE OR REPLACE FUNCTION _moves.on_offer_closed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.status = 'accepted' THEN
        UPDATE moves.orders o SET porter_id = NEW.accepted_by, status = 'assigned'
         WHERE o.id = NEW.order_id AND o.porter_id IS NULL AND o.status IN ('created', 'offered');
        IF NOT FOUND THEN
            PERFORM pulse.fail('conflict', format('the order %s is no longer on offer', NEW.order_id), 'Somebody has it, or it is over.');
        END IF;
    END IF;
    PERFORM _moves.tell_closed(NEW);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _moves.on_offer_closed() IS 'trigger: assigns the order of an accepted offer; tells the porters that an offer is closed';

-- The offer of an answer, locked behind its order, when its porter may still answer it.
CREATE OR REPLACE FUNCTION _moves.require_offer(input json) RETURNS moves.job_offers
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_id    text := pulse.input_text(require_offer.input, 'offerId', 200, true);
    v_offer moves.job_offers;
BEGIN
    IF NOT EXISTS (SELECT FROM moves.job_offer_porters p WHERE p.offer_id = v_id AND p.porter_id = pulse.user_id()) THEN
        PERFORM pulse.fail('forbidden', 'this job was not offered to you', 'Send the offerId of an event job:offer.');
    END IF;
    PERFORM FROM moves.orders o WHERE o.id = (SELECT j.order_id FROM moves.job_offers j WHERE j.id = v_id) FOR NO KEY UPDATE;
    SELECT * INTO v_offer FROM moves.job_offers j WHERE j.id = v_id FOR NO KEY UPDATE;
    RETURN v_offer;
END
$$;
COMMENT ON FUNCTION _moves.require_offer(json) IS 'the offer that a porter answers, locked, or an error when it is none of theirs';

CREATE OR REPLACE FUNCTION _moves.require_open(offer moves.job_offers) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF offer.status = 'accepted' THEN
        PERFORM pulse.fail('conflict', 'the job was accepted by somebody else', 'One acceptance wins; job:offer:closed says so.');
    ELSIF offer.status = 'expired' OR offer.status = 'pending' AND offer.expires_at <= clock_timestamp() THEN
        PERFORM pulse.fail('conflict', 'the job offer has expired', format('It could be answered until %s.', pulse.iso8601(offer.expires_at)));
    ELSIF offer.status IS DISTINCT FROM 'pending' THEN
        PERFORM pulse.fail('conflict', 'the job offer was cancelled', 'The order is no longer on offer.');
    END IF;
END
$$;
COMMENT ON FUNCTION _moves.require_open(moves.job_offers) IS 'an error when an offer can no longer be answered';

CREATE OR REPLACE FUNCTION moves.on_offer_accept(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user  text := _moves.require_role('{porter}', 'accepting a job');
    v_input json := pulse.input_object(args -> 0, '{"offerId":"…"}');
    v_offer moves.job_offers := _moves.require_offer(v_input);
BEGIN
    IF v_offer.status = 'accepted' AND v_offer.accepted_by = v_user THEN
        RETURN json_build_object('ok', true, 'orderId', v_offer.order_id);           -- sent again
    END IF;
    PERFORM _moves.require_open(v_offer);
    UPDATE moves.job_offer_porters p SET answer = 'accepted', reason = NULL, answered_at = now()
     WHERE p.offer_id = v_offer.id AND p.porter_id = v_user AND p.answer IS DISTINCT FROM 'rejected';
    IF NOT FOUND THEN
        PERFORM pulse.fail('conflict', 'you rejected this job', 'It takes a new offer.');
    END IF;
    UPDATE moves.job_offers j SET status = 'accepted', accepted_by = v_user WHERE j.id = v_offer.id;
    RETURN json_build_object('ok', true, 'orderId', v_offer.order_id);
END
$$;
COMMENT ON FUNCTION moves.on_offer_accept(json) IS
    'job:offer:accept {offerId} of a porter: the first one gets the order, others conflict; {ok, orderId}';
REVOKE EXECUTE ON FUNCTION moves.on_offer_accept(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION moves.on_offer_accept(json) TO pulse_client;

CREATE OR REPLACE FUNCTION moves.on_offer_reject(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user   text := _moves.require_role('{porter}', 'rejecting a job');
    v_input  json := pulse.input_object(args -> 0, '{"offerId":"…","reason":"…"}');
    v_reason text := pulse.input_text(v_input, 'reason', 1000, false);
    v_offer  moves.job_offers := _moves.require_offer(v_input);
BEGIN
    IF v_offer.status = 'accepted' AND v_offer.accepted_by = v_user THEN
        PERFORM pulse.fail('conflict', 'you accepted this job', 'The order is yours.');
    END IF;
    PERFORM _moves.require_open(v_offer);
    UPDATE moves.job_offer_porters p SET answer = 'rejected', reason = v_reason, answered_at = now()
     WHERE p.offer_id = v_offer.id AND p.porter_id = v_user;
    RETURN json_build_object('ok', true, 'orderId', v_offer.order_id);
END
$$;
COMMENT ON FUNCTION moves.on_offer_reject(json) IS 'job:offer:reject {offerId, reason?} of a porter: {ok, orderId}';
REVOKE EXECUTE ON FUNCTION moves.on_offer_reject(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION moves.on_offer_reject(json) TO pulse_client;
