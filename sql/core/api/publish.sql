-- pulse.publish(room | rooms, event, payload, …) returns bigint
-- Stores one event in the caller's transaction; it is delivered once that commits. Returns the event's id.
--   room, rooms      whom it is for: one room or an array, 1–255 bytes each, duplicates are dropped
--   event            its name, 1–255 bytes, none that Socket.IO uses itself
--   payload          json, jsonb or JSON text, at most pulse.max_payload bytes; json keeps key order and numbers as written
--   attachments      binary parts, at most ten, {"_placeholder":true,"num":0} in the payload stands for the first
--   headers          JSON object for bridges and consumers: traceparent, actor
--   except_session   a session that does not get it
--   partition_key    consumers of one key read in order
--   idempotency_key  a second publish with the same key stores nothing and returns the first one's id
--   ephemeral        not stored: delivered at most once, to who is here when the transaction commits; returns 0
--   throttle         of an ephemeral event: the first goes at once, then at most one an interval, the newest; the last always arrives
--   throttle_key     events of these rooms and this name that are throttled together
-- The text form of payload makes unknown literals and untyped parameters of drivers resolve.
CREATE OR REPLACE FUNCTION pulse.publish(room text, event text, payload json, attachments bytea[] DEFAULT NULL, headers json DEFAULT '{}',
    except_session text DEFAULT NULL, partition_key text DEFAULT NULL, idempotency_key text DEFAULT NULL,
    ephemeral boolean DEFAULT false, throttle interval DEFAULT NULL, throttle_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish';
CREATE OR REPLACE FUNCTION pulse.publish(room text, event text, payload text, attachments bytea[] DEFAULT NULL, headers json DEFAULT '{}',
    except_session text DEFAULT NULL, partition_key text DEFAULT NULL, idempotency_key text DEFAULT NULL,
    ephemeral boolean DEFAULT false, throttle interval DEFAULT NULL, throttle_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish';
CREATE OR REPLACE FUNCTION pulse.publish(room text, event text, payload jsonb, attachments bytea[] DEFAULT NULL, headers json DEFAULT '{}',
    except_session text DEFAULT NULL, partition_key text DEFAULT NULL, idempotency_key text DEFAULT NULL,
    ephemeral boolean DEFAULT false, throttle interval DEFAULT NULL, throttle_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish_jsonb';
CREATE OR REPLACE FUNCTION pulse.publish(rooms text[], event text, payload json, attachments bytea[] DEFAULT NULL, headers json DEFAULT '{}',
    except_session text DEFAULT NULL, partition_key text DEFAULT NULL, idempotency_key text DEFAULT NULL,
    ephemeral boolean DEFAULT false, throttle interval DEFAULT NULL, throttle_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish_rooms';
CREATE OR REPLACE FUNCTION pulse.publish(rooms text[], event text, payload text, attachments bytea[] DEFAULT NULL, headers json DEFAULT '{}',
    except_session text DEFAULT NULL, partition_key text DEFAULT NULL, idempotency_key text DEFAULT NULL,
    ephemeral boolean DEFAULT false, throttle interval DEFAULT NULL, throttle_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish_rooms';
CREATE OR REPLACE FUNCTION pulse.publish(rooms text[], event text, payload jsonb, attachments bytea[] DEFAULT NULL, headers json DEFAULT '{}',
    except_session text DEFAULT NULL, partition_key text DEFAULT NULL, idempotency_key text DEFAULT NULL,
    ephemeral boolean DEFAULT false, throttle interval DEFAULT NULL, throttle_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish_rooms_jsonb';
REVOKE ALL ON FUNCTION
    pulse.publish(text, text, json, bytea[], json, text, text, text, boolean, interval, text),
    pulse.publish(text, text, text, bytea[], json, text, text, text, boolean, interval, text),
    pulse.publish(text, text, jsonb, bytea[], json, text, text, text, boolean, interval, text),
    pulse.publish(text[], text, json, bytea[], json, text, text, text, boolean, interval, text),
    pulse.publish(text[], text, text, bytea[], json, text, text, text, boolean, interval, text),
    pulse.publish(text[], text, jsonb, bytea[], json, text, text, text, boolean, interval, text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    pulse.publish(text, text, json, bytea[], json, text, text, text, boolean, interval, text),
    pulse.publish(text, text, text, bytea[], json, text, text, text, boolean, interval, text),
    pulse.publish(text, text, jsonb, bytea[], json, text, text, text, boolean, interval, text),
    pulse.publish(text[], text, json, bytea[], json, text, text, text, boolean, interval, text),
    pulse.publish(text[], text, text, bytea[], json, text, text, text, boolean, interval, text),
    pulse.publish(text[], text, jsonb, bytea[], json, text, text, text, boolean, interval, text)
    TO pulse_publisher;
COMMENT ON FUNCTION pulse.publish(text, text, json, bytea[], json, text, text, text, boolean, interval, text) IS 'publishes one event with this transaction, stored or ephemeral; returns its id, or 0';
COMMENT ON FUNCTION pulse.publish(text, text, text, bytea[], json, text, text, text, boolean, interval, text) IS 'publishes one event with this transaction, stored or ephemeral; returns its id, or 0';
COMMENT ON FUNCTION pulse.publish(text, text, jsonb, bytea[], json, text, text, text, boolean, interval, text) IS 'publishes one event with this transaction, stored or ephemeral; returns its id, or 0';
COMMENT ON FUNCTION pulse.publish(text[], text, json, bytea[], json, text, text, text, boolean, interval, text) IS 'publishes one event with this transaction, stored or ephemeral; returns its id, or 0';
COMMENT ON FUNCTION pulse.publish(text[], text, text, bytea[], json, text, text, text, boolean, interval, text) IS 'publishes one event with this transaction, stored or ephemeral; returns its id, or 0';
COMMENT ON FUNCTION pulse.publish(text[], text, jsonb, bytea[], json, text, text, text, boolean, interval, text) IS 'publishes one event with this transaction, stored or ephemeral; returns its id, or 0';

-- pulse.sampled(key text, every integer) returns boolean
-- True for the first call with this key, then for one in `every`, over all sessions: to keep one position in ten. Counted in shared
-- memory, not undone by a rollback; of the keys that no longer fit, the one not asked for longest is forgotten, and begins anew.
CREATE OR REPLACE FUNCTION pulse.sampled(key text, every integer) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pulse_sampled';
COMMENT ON FUNCTION pulse.sampled(text, integer) IS 'true for one call in so many with this key, the first among them';
REVOKE ALL ON FUNCTION pulse.sampled(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pulse.sampled(text, integer) TO pulse_publisher, pulse_client;
