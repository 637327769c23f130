-- Who sees to it that heatmap and statistics of an organization follow its issues: a chain of jobs, one a heatmap_min_interval, as long as
-- issues change and until nobody relies on it any more; api/refresh.sql.

CREATE TABLE _campus.refreshes (
    organization_id text COLLATE "C" NOT NULL,
    at              timestamptz NOT NULL DEFAULT '-infinity',
    told            jsonb NOT NULL DEFAULT '{}',
    chain           bigint NOT NULL DEFAULT 0,
    alive_until     timestamptz NOT NULL DEFAULT '-infinity',
    armed           boolean NOT NULL DEFAULT false,
    boundary        xid8,
    CONSTRAINT refreshes_pkey PRIMARY KEY (organization_id),
    CONSTRAINT refreshes_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES campus.organizations (id) ON DELETE CASCADE
);
COMMENT ON TABLE _campus.refreshes IS 'the last heatmap and statistics that were published of each organization, and the jobs that make the next';
COMMENT ON COLUMN _campus.refreshes.told IS 'hashes: {"stats","heatmap","campus:<id>"}; what has not changed is not told again';
COMMENT ON COLUMN _campus.refreshes.chain IS 'number of the chain that counts; a job of another one does nothing';
COMMENT ON COLUMN _campus.refreshes.alive_until IS 'until when the chain''s next job must have run; after that it has died, or come to its end';
COMMENT ON COLUMN _campus.refreshes.armed IS 'a change may rely on the chain, and stores no job of its own';
COMMENT ON COLUMN _campus.refreshes.boundary IS 'when all transactions below have ended, nobody relies on the chain any more';

CREATE TABLE _campus.repeats (
    organization_id text COLLATE "C" NOT NULL,
    watched_until   timestamptz NOT NULL,
    due_at          timestamptz NOT NULL,
    CONSTRAINT repeats_pkey PRIMARY KEY (organization_id),
    CONSTRAINT repeats_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES campus.organizations (id) ON DELETE CASCADE
);
COMMENT ON TABLE _campus.repeats IS 'organizations whose heatmap is told every heatmap_period';
COMMENT ON COLUMN _campus.repeats.watched_until IS 'so long somebody may be looking';
COMMENT ON COLUMN _campus.repeats.due_at IS 'when it is told the next time';
