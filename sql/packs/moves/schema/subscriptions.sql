-- Who watches which order, on which device: what a reconnect token brings back. A device is a pair of tokens of the route
-- /api/v1/socket-token (their claim deviceId); who connects with another token has the device ''.

CREATE TABLE _moves.subscriptions (
    user_id       text COLLATE "C" NOT NULL,
    device_id     text COLLATE "C" NOT NULL DEFAULT '',
    order_id      text COLLATE "C" NOT NULL,
    subscribed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT subscriptions_pkey PRIMARY KEY (user_id, device_id, order_id),
    CONSTRAINT subscriptions_order_id_fkey FOREIGN KEY (order_id) REFERENCES moves.orders (id) ON DELETE CASCADE
);
CREATE INDEX subscriptions_order_id_idx ON _moves.subscriptions (order_id);
CREATE INDEX subscriptions_subscribed_at_idx ON _moves.subscriptions (subscribed_at);
COMMENT ON TABLE _moves.subscriptions IS 'orders that users watch, for the setting subscription_ttl';
