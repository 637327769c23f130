-- Moving orders. INSERT and UPDATE are the API: a change of the status is an event, a change of the people ends rights.

CREATE TABLE moves.orders (
    id                text COLLATE "C" NOT NULL DEFAULT gen_random_uuid()::text,
    customer_id       text COLLATE "C" NOT NULL,
    porter_id         text COLLATE "C",
    status            text NOT NULL DEFAULT 'created',
    pickup_latitude   double precision,
    pickup_longitude  double precision,
    dropoff_latitude  double precision,
    dropoff_longitude double precision,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT orders_pkey PRIMARY KEY (id),
    CONSTRAINT orders_id_check CHECK (octet_length(id) BETWEEN 1 AND 200 AND octet_length(pulse.room_part(id)) <= 240 AND id !~ '[[:cntrl:]]'),
    CONSTRAINT orders_customer_id_check CHECK (customer_id <> ''),
    CONSTRAINT orders_porter_id_check CHECK (porter_id <> ''),
    CONSTRAINT orders_status_check CHECK
        (status IN ('created', 'offered', 'assigned', 'arrived', 'loading', 'in_transit', 'delivered', 'cancelled')),
    CONSTRAINT orders_pickup_check CHECK ((pickup_latitude IS NULL) = (pickup_longitude IS NULL)),
    CONSTRAINT orders_dropoff_check CHECK ((dropoff_latitude IS NULL) = (dropoff_longitude IS NULL)),
    CONSTRAINT orders_pickup_latitude_check CHECK (pickup_latitude BETWEEN -90 AND 90),
    CONSTRAINT orders_pickup_longitude_check CHECK (pickup_longitude BETWEEN -180 AND 180),
    CONSTRAINT orders_dropoff_latitude_check CHECK (dropoff_latitude BETWEEN -90 AND 90),
    CONSTRAINT orders_dropoff_longitude_check CHECK (dropoff_longitude BETWEEN -180 AND 180)
);
CREATE INDEX orders_customer_id_idx ON moves.orders (customer_id);
-- what each position of a porter looks up
CREATE INDEX orders_porter_id_active_idx ON moves.orders (porter_id) WHERE status IN ('assigned', 'arrived', 'loading', 'in_transit');
COMMENT ON TABLE moves.orders IS 'moving orders; a change of the status goes to order:{id}, the customer and the porter';
COMMENT ON COLUMN moves.orders.porter_id IS 'who carries it; set by the acceptance of a job offer, or by the application';
COMMENT ON COLUMN moves.orders.updated_at IS 'time of the last change, kept by the database';
