-- The chat of an order, and what of it waits for somebody who was not there.

CREATE TABLE moves.messages (
    id          uuid NOT NULL DEFAULT gen_random_uuid(),
    order_id    text COLLATE "C" NOT NULL,
    sender_id   text COLLATE "C" NOT NULL,
    sender_role text NOT NULL,
    message     text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT messages_pkey PRIMARY KEY (id),
    CONSTRAINT messages_order_id_fkey FOREIGN KEY (order_id) REFERENCES moves.orders (id) ON DELETE CASCADE,
    CONSTRAINT messages_sender_id_check CHECK (sender_id <> ''),
    CONSTRAINT messages_sender_role_check CHECK (sender_role IN ('customer', 'porter', 'admin')),
    CONSTRAINT messages_message_check CHECK (message <> '')
);
CREATE INDEX messages_order_id_created_at_id_idx ON moves.messages (order_id, created_at, id);
COMMENT ON TABLE moves.messages IS 'the chat of an order; an insert goes to order:{order_id}';

CREATE TABLE _moves.waiting (
    user_id    text COLLATE "C" NOT NULL,
    order_id   text COLLATE "C" NOT NULL,
    message_id uuid NOT NULL,
    CONSTRAINT waiting_pkey PRIMARY KEY (user_id, order_id, message_id),
    CONSTRAINT waiting_message_id_fkey FOREIGN KEY (message_id) REFERENCES moves.messages (id) ON DELETE CASCADE
);
CREATE INDEX waiting_message_id_idx ON _moves.waiting (message_id);
COMMENT ON TABLE _moves.waiting IS 'messages that were sent while none of the user''s sessions was in the order''s room';
