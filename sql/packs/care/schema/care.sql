-- Those who are cared for, their medication, the shifts of caregivers, and alerts. family_id is filled by the database: the event of a
-- row goes to its family's room, and a trigger of pulse.watch sees only the row itself.

CREATE TABLE care.care_recipients (
    id         text COLLATE "C" NOT NULL DEFAULT gen_random_uuid()::text,
    family_id  text COLLATE "C" NOT NULL,
    name       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT care_recipients_pkey PRIMARY KEY (id),
    CONSTRAINT care_recipients_id_family_id_key UNIQUE (id, family_id),
    CONSTRAINT care_recipients_family_id_fkey FOREIGN KEY (family_id) REFERENCES care.families (id) ON DELETE CASCADE
);
CREATE INDEX care_recipients_family_id_idx ON care.care_recipients (family_id);
COMMENT ON TABLE care.care_recipients IS 'people whom a family cares for';

CREATE TABLE care.medications (
    id                text COLLATE "C" NOT NULL DEFAULT gen_random_uuid()::text,
    care_recipient_id text COLLATE "C" NOT NULL,
    name              text NOT NULL,
    dose              text,
    schedule          text,
    created_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT medications_pkey PRIMARY KEY (id),
    CONSTRAINT medications_care_recipient_id_fkey FOREIGN KEY (care_recipient_id) REFERENCES care.care_recipients (id) ON DELETE CASCADE
);
CREATE INDEX medications_care_recipient_id_idx ON care.medications (care_recipient_id);
COMMENT ON TABLE care.medications IS 'what a care recipient takes';
COMMENT ON COLUMN care.medications.schedule IS 'when, in words of the application';

CREATE TABLE care.medication_logs (
    id                uuid NOT NULL DEFAULT gen_random_uuid(),
    medication_id     text COLLATE "C" NOT NULL,
    care_recipient_id text COLLATE "C" NOT NULL,
    family_id         text COLLATE "C" NOT NULL,
    scheduled_for     timestamptz NOT NULL,
    logged_by         text COLLATE "C" NOT NULL,
    logged_at         timestamptz NOT NULL,
    note              text,
    CONSTRAINT medication_logs_pkey PRIMARY KEY (id),
    CONSTRAINT medication_logs_medication_id_scheduled_for_key UNIQUE (medication_id, scheduled_for),
    CONSTRAINT medication_logs_medication_id_fkey FOREIGN KEY (medication_id) REFERENCES care.medications (id) ON DELETE CASCADE
);
CREATE INDEX medication_logs_family_id_logged_at_idx ON care.medication_logs (family_id, logged_at);
COMMENT ON TABLE care.medication_logs IS 'doses that were given: a dose is one medication at one scheduled time, and is logged once';
COMMENT ON COLUMN care.medication_logs.care_recipient_id IS 'filled from the medication';
COMMENT ON COLUMN care.medication_logs.family_id IS 'filled from the medication';
COMMENT ON COLUMN care.medication_logs.logged_at IS 'filled when it is left out';

-- A range of one user id: what an exclusion constraint compares by && as it does times, without another extension.
CREATE TYPE _care.user_range AS RANGE (SUBTYPE = text, COLLATION = "C");
COMMENT ON TYPE _care.user_range IS 'for the exclusion constraint of care.shifts: a range that holds one user id';

CREATE TABLE care.shifts (
    id                text COLLATE "C" NOT NULL DEFAULT gen_random_uuid()::text,
    family_id         text COLLATE "C" NOT NULL,
    caregiver_id      text COLLATE "C" NOT NULL,
    care_recipient_id text COLLATE "C",
    starts_at         timestamptz NOT NULL,
    ends_at           timestamptz NOT NULL,
    started_at        timestamptz,
    ended_at          timestamptz,
    CONSTRAINT shifts_pkey PRIMARY KEY (id),
    CONSTRAINT shifts_family_id_fkey FOREIGN KEY (family_id) REFERENCES care.families (id) ON DELETE CASCADE,
    CONSTRAINT shifts_care_recipient_id_fkey FOREIGN KEY (care_recipient_id, family_id) REFERENCES care.care_recipients (id, family_id)
        ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT shifts_caregiver_id_check CHECK (caregiver_id <> ''),
    CONSTRAINT shifts_ends_at_check CHECK (ends_at > starts_at),
    CONSTRAINT shifts_ended_at_check CHECK (ended_at IS NULL OR started_at IS NOT NULL),
    CONSTRAINT shifts_caregiver_id_excl EXCLUDE USING gist (
        _care.user_range(caregiver_id, caregiver_id, '[]') WITH &&, tstzrange(starts_at, ends_at) WITH &&)
);
CREATE INDEX shifts_family_id_starts_at_idx ON care.shifts (family_id, starts_at);
CREATE INDEX shifts_family_id_started_at_idx ON care.shifts (family_id, started_at) WHERE started_at IS NOT NULL;
CREATE INDEX shifts_family_id_ended_at_idx ON care.shifts (family_id, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX shifts_care_recipient_id_idx ON care.shifts (care_recipient_id) WHERE care_recipient_id IS NOT NULL;
COMMENT ON TABLE care.shifts IS 'who cares when; a caregiver is in one place at a time: shifts of one caregiver do not overlap, in whatever family';
COMMENT ON COLUMN care.shifts.started_at IS 'when the caregiver really came; told to the family';
COMMENT ON COLUMN care.shifts.ended_at IS 'when the caregiver really left; told to the family';

CREATE TABLE care.alerts (
    id                text COLLATE "C" NOT NULL DEFAULT gen_random_uuid()::text,
    care_recipient_id text COLLATE "C" NOT NULL,
    family_id         text COLLATE "C" NOT NULL,
    type              text NOT NULL,
    severity          text NOT NULL DEFAULT 'high',
    created_by        text COLLATE "C",
    created_at        timestamptz NOT NULL,
    acknowledged_by   text COLLATE "C",
    acknowledged_at   timestamptz,
    escalated_at      timestamptz,
    client_alert_id   text COLLATE "C",
    CONSTRAINT alerts_pkey PRIMARY KEY (id),
    CONSTRAINT alerts_care_recipient_id_fkey FOREIGN KEY (care_recipient_id) REFERENCES care.care_recipients (id) ON DELETE CASCADE,
    CONSTRAINT alerts_type_check CHECK (type <> ''),
    CONSTRAINT alerts_severity_check CHECK (severity IN ('low', 'medium', 'high', 'critical'))
);
CREATE INDEX alerts_family_id_created_at_idx ON care.alerts (family_id, created_at);
CREATE INDEX alerts_family_id_acknowledged_at_idx ON care.alerts (family_id, acknowledged_at) WHERE acknowledged_at IS NOT NULL;
CREATE INDEX alerts_family_id_escalated_at_idx ON care.alerts (family_id, escalated_at) WHERE escalated_at IS NOT NULL;
CREATE INDEX alerts_family_id_open_idx ON care.alerts (family_id) WHERE acknowledged_at IS NULL;
CREATE INDEX alerts_care_recipient_id_idx ON care.alerts (care_recipient_id);
CREATE UNIQUE INDEX alerts_client_alert_id_idx ON care.alerts (created_by, client_alert_id) WHERE client_alert_id IS NOT NULL;
COMMENT ON TABLE care.alerts IS 'emergencies of a care recipient; an insert is told to the whole family';
COMMENT ON COLUMN care.alerts.family_id IS 'filled from the care recipient';
COMMENT ON COLUMN care.alerts.created_at IS 'filled when it is left out';
COMMENT ON COLUMN care.alerts.type IS 'fall_detected, or another word of the application';
COMMENT ON COLUMN care.alerts.acknowledged_at IS 'filled when acknowledged_by is set';
COMMENT ON COLUMN care.alerts.client_alert_id IS 'the sender''s own id: an alert that is sent twice with it is kept once';
COMMENT ON COLUMN care.alerts.escalated_at IS 'when it had waited for setting alert_escalate_after';
