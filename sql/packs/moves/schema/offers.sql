-- Job offers: an order offered to some porters, until one accepts, the time is over, or it is cancelled.

CREATE TABLE moves.job_offers (
    id          text COLLATE "C" NOT NULL DEFAULT gen_random_uuid()::text,
    order_id    text COLLATE "C" NOT NULL,
    status      text NOT NULL DEFAULT 'pending',
    accepted_by text COLLATE "C",
    expires_at  timestamptz NOT NULL DEFAULT now() + moves.offer_ttl(),
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT job_offers_pkey PRIMARY KEY (id),
    CONSTRAINT job_offers_order_id_fkey FOREIGN KEY (order_id) REFERENCES moves.orders (id) ON DELETE CASCADE,
    CONSTRAINT job_offers_id_check CHECK (octet_length(id) BETWEEN 1 AND 200 AND id !~ '[[:cntrl:]]'),
    CONSTRAINT job_offers_status_check CHECK (status IN ('pending', 'accepted', 'expired', 'cancelled')),
    CONSTRAINT job_offers_accepted_by_check CHECK ((status = 'accepted') = (accepted_by IS NOT NULL))
);
CREATE INDEX job_offers_order_id_idx ON moves.job_offers (order_id);
COMMENT ON TABLE moves.job_offers IS 'an order offered to the porters in moves.job_offer_porters; one acceptance wins';
COMMENT ON COLUMN moves.job_offers.expires_at IS 'from here on nobody can accept it; default: the setting offer_ttl from now';

CREATE TABLE moves.job_offer_porters (
    offer_id    text COLLATE "C" NOT NULL,
    porter_id   text COLLATE "C" NOT NULL,
    answer      text,
    reason      text,
    answered_at timestamptz,
    CONSTRAINT job_offer_porters_pkey PRIMARY KEY (offer_id, porter_id),
    CONSTRAINT job_offer_porters_offer_id_fkey FOREIGN KEY (offer_id) REFERENCES moves.job_offers (id) ON DELETE CASCADE,
    CONSTRAINT job_offer_porters_porter_id_check CHECK (porter_id <> ''),
    CONSTRAINT job_offer_porters_answer_check CHECK (answer IN ('accepted', 'rejected'))
);
CREATE INDEX job_offer_porters_porter_id_idx ON moves.job_offer_porters (porter_id);
COMMENT ON TABLE moves.job_offer_porters IS 'whom a job is offered to; an insert is the offer, job:offer to user:{porter}';
COMMENT ON COLUMN moves.job_offer_porters.reason IS 'why the porter rejected it';
