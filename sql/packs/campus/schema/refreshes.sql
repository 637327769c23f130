-- What was last told of an organization: when, what the database was then, and the summaries by hash, so that what has not changed is
-- not told again.

CREATE TABLE _campus.refreshes (
    organization_id text COLLATE "C" NOT NULL,
    at              timestamptz NOT NULL DEFAULT '-infinity',
    seen            pg_snapshot,
    told            jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT refreshes_pkey PRIMARY KEY (organization_id),
    CONSTRAINT refreshes_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES campus.organizations (id) ON DELETE CASCADE
);
COMMENT ON TABLE _campus.refreshes IS 'the last heatmap and statistics that were published of each organization';
COMMENT ON COLUMN _campus.refreshes.seen IS 'the snapshot they were made in: a change that it saw needs no others';
COMMENT ON COLUMN _campus.refreshes.told IS 'hashes: {"stats","heatmap","campus:<id>"}';
