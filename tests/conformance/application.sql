-- What the published suites of Engine.IO and Socket.IO talk to: two namespaces that tell the auth object, and an echo with and without ack.
-- serve.mjs publishes `auth` a moment after the connect: the suites lose a message that comes in one segment with the one before it.
CREATE SCHEMA conformance;
GRANT USAGE ON SCHEMA conformance TO pulse_client;

CREATE FUNCTION conformance.connected(claims json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('conformance', json_build_array('hello:' || pulse.session_id(), coalesce(pulse.auth(), '{}')::text)::text);
    RETURN json_build_object('rooms', json_build_array('hello:' || pulse.session_id()));
END $$;

-- The same arguments; placeholders in them stay as they are, since the attachments come back in their order.
CREATE FUNCTION conformance.back(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pulse.attach(attachment) FROM unnest(pulse.attachments()) WITH ORDINALITY AS a(attachment, nth) ORDER BY nth;
    PERFORM pulse.reply_args('message-back', args);
    RETURN NULL;
END $$;
CREATE FUNCTION conformance.answer(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pulse.attach(attachment) FROM unnest(pulse.attachments()) WITH ORDINALITY AS a(attachment, nth) ORDER BY nth;
    RETURN args;
END $$;

SELECT pulse.namespace('/', 'conformance.connected'), pulse.namespace('/custom', 'conformance.connected'),
       pulse.on('message', 'conformance.back'), pulse.on('message-with-ack', 'conformance.answer');
