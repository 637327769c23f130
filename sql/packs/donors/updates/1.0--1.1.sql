-- From 1.0 to 1.1: whom a request told is written down; a request can be sent again. Functions come from api/.

ALTER TABLE donors.blood_requests ADD COLUMN client_request_id text COLLATE "C";
CREATE UNIQUE INDEX blood_requests_client_request_id_idx ON donors.blood_requests (requester_id, client_request_id) WHERE client_request_id IS NOT NULL;
COMMENT ON COLUMN donors.blood_requests.client_request_id IS 'the requester''s own id: a request that is sent twice with it is kept once';

CREATE TABLE donors.notifications (
    request_id uuid NOT NULL,
    user_id    text COLLATE "C" NOT NULL,
    channel    text NOT NULL,
    recipient  text COLLATE "C" NOT NULL,
    job_id     bigint,
    state      text NOT NULL,
    attempts   integer NOT NULL DEFAULT 0,
    error      text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at   timestamptz,
    CONSTRAINT notifications_pkey PRIMARY KEY (request_id, channel, recipient),
    CONSTRAINT notifications_request_id_fkey FOREIGN KEY (request_id)
        REFERENCES donors.blood_requests (id) ON DELETE CASCADE,
    CONSTRAINT notifications_channel_check CHECK (channel IN ('socket', 'push', 'sms')),
    CONSTRAINT notifications_state_check CHECK (state IN ('queued', 'sent', 'failed', 'cancelled'))
);
CREATE INDEX notifications_job_id_idx ON donors.notifications (job_id) WHERE job_id IS NOT NULL;
COMMENT ON TABLE donors.notifications IS 'whom a blood request told, by which channel, and what became of it';
COMMENT ON COLUMN donors.notifications.recipient IS 'of push the device''s token, of sms the phone number, of socket the user';
COMMENT ON COLUMN donors.notifications.state IS 'queued; sent: the provider took it, or the event is published; failed for good; cancelled: the request was closed first';
SELECT pg_catalog.pg_extension_config_dump('donors.notifications', '');
