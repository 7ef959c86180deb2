-- Every run of an action: who asked, for what, when, how long it took and how
-- it ended. Written by the supervisor alone; rows beyond the retention are
-- removed by it.
CREATE TABLE supervisor_jobs (
    id           text COLLATE "C" PRIMARY KEY,
    plugin_key   text NOT NULL,
    action       text NOT NULL,
    -- run, background, task, event
    kind         text NOT NULL,
    -- queued, running, succeeded, failed, cancelled
    state        text NOT NULL,
    -- As the caller named itself; empty = unknown.
    requested_by text NOT NULL,
    -- Of the worker that ran it.
    generation   bigint NOT NULL,
    created_at   timestamptz NOT NULL,
    started_at   timestamptz,
    -- Null while it has not ended.
    ended_at     timestamptz,
    duration_us  bigint NOT NULL,
    -- What the plugin told last of its progress.
    fraction     double precision NOT NULL,
    message      text NOT NULL,
    -- The reason's code when it did not succeed; empty otherwise.
    reason       text NOT NULL,
    -- Null when it did not fail, or has not ended.
    failure      jsonb,
    -- JSON, byte for byte as the plugin gave it; null of a run that a caller
    -- waited for.
    result       text
);

-- Newest first, and what is too old.
CREATE INDEX supervisor_jobs_created ON supervisor_jobs (created_at);

CREATE INDEX supervisor_jobs_unfinished ON supervisor_jobs (plugin_key) WHERE ended_at IS NULL;
