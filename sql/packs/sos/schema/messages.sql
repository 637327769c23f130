-- What citizens and rescuers say to each other. INSERT INTO sos.messages is the API: it is told to the room.

CREATE TABLE sos.messages (
    id                uuid NOT NULL DEFAULT gen_random_uuid(),
    case_id           text COLLATE "C" NOT NULL,
    user_id           text COLLATE "C" NOT NULL,
    role              text,
    message           text NOT NULL,
    client_message_id text COLLATE "C",
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT messages_pkey PRIMARY KEY (id),
    CONSTRAINT messages_client_message_id_key UNIQUE (case_id, user_id, client_message_id),
    CONSTRAINT messages_case_id_fkey FOREIGN KEY (case_id) REFERENCES sos.cases (id) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT messages_message_check CHECK (message <> '')
);
CREATE INDEX messages_case_id_created_at_idx ON sos.messages (case_id, created_at, id);
CREATE INDEX messages_created_at_idx ON sos.messages (created_at);
COMMENT ON TABLE sos.messages IS 'messages of a case; an insert is told to sos:{case_id}';
COMMENT ON COLUMN sos.messages.role IS 'filled from the token or from sos.participants when it is left out';
COMMENT ON COLUMN sos.messages.client_message_id IS 'the sender''s own id: a message that is sent twice with it is kept once';
