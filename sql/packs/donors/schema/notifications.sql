-- Whom a request told, by what, and what became of it: one row a recipient. donors.notification_report reads it.

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
