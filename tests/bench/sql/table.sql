-- The table of the TPS measurement, the same in each variant's database.
CREATE SCHEMA bench;
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
