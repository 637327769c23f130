-- The tables of the TPS measurement, the same in each variant's database: the smallest row there is, behind which no cost of
-- publishing hides, and an ordinary one.
CREATE SCHEMA bench;
CREATE TABLE bench.messages (
    room text NOT NULL,
    body text NOT NULL
);
CREATE TABLE bench.orders (
    id          bigint GENERATED ALWAYS AS IDENTITY,
    customer_id text NOT NULL,
    region      text NOT NULL,
    status      text NOT NULL DEFAULT 'open',
    units       int NOT NULL,
    latitude    double precision NOT NULL,
    longitude   double precision NOT NULL,
    note        text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT orders_pkey PRIMARY KEY (id)
);
