-- What a family says, and how far each has read. INSERT INTO care.messages is the API: it is told to the family.

CREATE TABLE care.messages (
    id                uuid NOT NULL DEFAULT gen_random_uuid(),
    channel_id        text COLLATE "C" NOT NULL,
    family_id         text COLLATE "C" NOT NULL,
    user_id           text COLLATE "C" NOT NULL,
    message           text NOT NULL,
    client_message_id text COLLATE "C",
    created_at        timestamptz NOT NULL,
    CONSTRAINT messages_pkey PRIMARY KEY (id),
    CONSTRAINT messages_client_message_id_key UNIQUE (family_id, user_id, client_message_id),
    CONSTRAINT messages_channel_id_fkey FOREIGN KEY (channel_id, family_id) REFERENCES care.channels (id, family_id) ON DELETE CASCADE,
    CONSTRAINT messages_message_check CHECK (message <> '')
);
CREATE INDEX messages_channel_id_created_at_idx ON care.messages (channel_id, created_at, id);
CREATE INDEX messages_family_id_created_at_idx ON care.messages (family_id, created_at, id);
COMMENT ON TABLE care.messages IS 'chat; an insert is told to family:{family_id}';
COMMENT ON COLUMN care.messages.channel_id IS 'filled with the family''s default channel when it is left out';
COMMENT ON COLUMN care.messages.family_id IS 'filled from the channel when it is left out';
COMMENT ON COLUMN care.messages.created_at IS 'filled when it is left out, in the order in which the messages of a family commit';
COMMENT ON COLUMN care.messages.client_message_id IS 'the sender''s own id: a message that is sent twice with it is kept once';

CREATE TABLE care.reads (
    user_id    text COLLATE "C" NOT NULL,
    channel_id text COLLATE "C" NOT NULL,
    read_to    timestamptz NOT NULL,
    CONSTRAINT reads_pkey PRIMARY KEY (user_id, channel_id),
    CONSTRAINT reads_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES care.channels (id) ON DELETE CASCADE
);
COMMENT ON TABLE care.reads IS 'how far a user has read in a channel: messages up to read_to';
