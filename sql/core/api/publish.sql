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
-- The text form of payload makes unknown literals and untyped parameters of drivers resolve.
CREATE OR REPLACE FUNCTION pulse.publish(room text, event text, payload json, attachments bytea[] DEFAULT NULL, headers json DEFAULT '{}',
    except_session text DEFAULT NULL, partition_key text DEFAULT NULL, idempotency_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish';
CREATE OR REPLACE FUNCTION pulse.publish(room text, event text, payload text, attachments bytea[] DEFAULT NULL, headers json DEFAULT '{}',
    except_session text DEFAULT NULL, partition_key text DEFAULT NULL, idempotency_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish';
CREATE OR REPLACE FUNCTION pulse.publish(room text, event text, payload jsonb, attachments bytea[] DEFAULT NULL, headers json DEFAULT '{}',
    except_session text DEFAULT NULL, partition_key text DEFAULT NULL, idempotency_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish_jsonb';
CREATE OR REPLACE FUNCTION pulse.publish(rooms text[], event text, payload json, attachments bytea[] DEFAULT NULL, headers json DEFAULT '{}',
    except_session text DEFAULT NULL, partition_key text DEFAULT NULL, idempotency_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish_rooms';
CREATE OR REPLACE FUNCTION pulse.publish(rooms text[], event text, payload text, attachments bytea[] DEFAULT NULL, headers json DEFAULT '{}',
    except_session text DEFAULT NULL, partition_key text DEFAULT NULL, idempotency_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish_rooms';
CREATE OR REPLACE FUNCTION pulse.publish(rooms text[], event text, payload jsonb, attachments bytea[] DEFAULT NULL, headers json DEFAULT '{}',
    except_session text DEFAULT NULL, partition_key text DEFAULT NULL, idempotency_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pulse_publish_rooms_jsonb';
REVOKE ALL ON FUNCTION
    pulse.publish(text, text, json, bytea[], json, text, text, text),
    pulse.publish(text, text, text, bytea[], json, text, text, text),
    pulse.publish(text, text, jsonb, bytea[], json, text, text, text),
    pulse.publish(text[], text, json, bytea[], json, text, text, text),
    pulse.publish(text[], text, text, bytea[], json, text, text, text),
    pulse.publish(text[], text, jsonb, bytea[], json, text, text, text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    pulse.publish(text, text, json, bytea[], json, text, text, text),
    pulse.publish(text, text, text, bytea[], json, text, text, text),
    pulse.publish(text, text, jsonb, bytea[], json, text, text, text),
    pulse.publish(text[], text, json, bytea[], json, text, text, text),
    pulse.publish(text[], text, text, bytea[], json, text, text, text),
    pulse.publish(text[], text, jsonb, bytea[], json, text, text, text)
    TO pulse_publisher;
COMMENT ON FUNCTION pulse.publish(text, text, json, bytea[], json, text, text, text) IS 'stores one event in this transaction; returns its id';
COMMENT ON FUNCTION pulse.publish(text, text, text, bytea[], json, text, text, text) IS 'stores one event in this transaction; returns its id';
COMMENT ON FUNCTION pulse.publish(text, text, jsonb, bytea[], json, text, text, text) IS 'stores one event in this transaction; returns its id';
COMMENT ON FUNCTION pulse.publish(text[], text, json, bytea[], json, text, text, text) IS 'stores one event in this transaction; returns its id';
COMMENT ON FUNCTION pulse.publish(text[], text, text, bytea[], json, text, text, text) IS 'stores one event in this transaction; returns its id';
COMMENT ON FUNCTION pulse.publish(text[], text, jsonb, bytea[], json, text, text, text) IS 'stores one event in this transaction; returns its id';
