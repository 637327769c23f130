-- Trigger functions that complete rows before they are written and follow them afterwards (schema/triggers.sql). They look up other
-- tables as the owner: who may write a log need not be able to read families.

-- Messages, doses and alerts of a family take turns, and so do those who read and acknowledge: their times follow the order of the
-- commits, so that whoever has read up to a time misses nothing from before, and the last badge counts all.
CREATE OR REPLACE FUNCTION _care.lock_family(family_id text) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM FROM care.families f WHERE f.id = lock_family.family_id FOR NO KEY UPDATE;
END
$$;
COMMENT ON FUNCTION _care.lock_family(text) IS 'what happens in a family takes turns';

CREATE OR REPLACE FUNCTION _care.add_channel() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO care.channels (family_id, name, is_default) VALUES (NEW.id, 'general', true);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _care.add_channel() IS 'trigger: the default channel of a new family';

CREATE OR REPLACE FUNCTION _care.on_left() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM pulse.evict(_care.room(f.id), reason => 'no member any more') FROM care.families f;
    ELSE
        PERFORM pulse.evict(_care.room(OLD.family_id), OLD.user_id, 'no member any more');
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _care.on_left() IS 'trigger: who is no member any more is put out of the family''s room';

CREATE OR REPLACE FUNCTION _care.fill_medication_log() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT r.id, r.family_id INTO NEW.care_recipient_id, NEW.family_id
      FROM care.medications m JOIN care.care_recipients r ON r.id = m.care_recipient_id
     WHERE m.id = NEW.medication_id;
    IF NOT FOUND AND NEW.medication_id IS NOT NULL THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('medication %s does not exist', NEW.medication_id), HINT = 'Insert it into care.medications first.',
            SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, CONSTRAINT = 'medication_logs_medication_id_fkey';
    END IF;
    PERFORM _care.lock_family(NEW.family_id);
    NEW.logged_at := coalesce(NEW.logged_at, clock_timestamp());
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _care.fill_medication_log() IS 'trigger: whose dose it was, and which family''s';

CREATE OR REPLACE FUNCTION _care.fill_alert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT r.family_id INTO NEW.family_id FROM care.care_recipients r WHERE r.id = NEW.care_recipient_id;
    IF NOT FOUND AND NEW.care_recipient_id IS NOT NULL THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('care recipient %s does not exist', NEW.care_recipient_id), HINT = 'Insert it into care.care_recipients first.',
            SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, CONSTRAINT = 'alerts_care_recipient_id_fkey';
    END IF;
    PERFORM _care.lock_family(NEW.family_id);
    NEW.created_at := coalesce(NEW.created_at, clock_timestamp());
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _care.fill_alert() IS 'trigger: which family an alert is for';

CREATE OR REPLACE FUNCTION _care.fill_message() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.channel_id IS NULL THEN
        SELECT c.id INTO NEW.channel_id FROM care.channels c WHERE c.family_id = NEW.family_id AND c.is_default;
    ELSIF NEW.family_id IS NULL THEN
        SELECT c.family_id INTO NEW.family_id FROM care.channels c WHERE c.id = NEW.channel_id;
    END IF;
    IF NEW.channel_id IS NULL OR NEW.family_id IS NULL THEN
        RAISE foreign_key_violation USING
            MESSAGE = 'a message needs a channel, or a family with a default channel', HINT = 'Give channel_id or family_id.',
            SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, CONSTRAINT = 'messages_channel_id_fkey';
    END IF;
    PERFORM _care.lock_family(NEW.family_id);
    NEW.created_at := coalesce(NEW.created_at, clock_timestamp());
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _care.fill_message() IS 'trigger: the default channel, or the channel''s family';

CREATE OR REPLACE FUNCTION _care.acknowledge() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM _care.lock_family(NEW.family_id);
    NEW.acknowledged_at := clock_timestamp();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION _care.acknowledge() IS 'trigger: when an alert was acknowledged';

CREATE OR REPLACE FUNCTION _care.message_json(message care.messages) RETURNS json
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT json_build_object('from', (message_json.message).user_id, 'message', (message_json.message).message,
        'familyId', (message_json.message).family_id, 'channelId', (message_json.message).channel_id,
        'messageId', (message_json.message).id, 'createdAt', pulse.iso8601((message_json.message).created_at));
END;
COMMENT ON FUNCTION _care.message_json(care.messages) IS 'a message as its event tells it';
