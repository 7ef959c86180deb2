-- What the restart policy remembers of each plugin: it outlives the worker,
-- the daemon and the machine. Written by the supervisor alone.
CREATE TABLE supervisor_crash_ledger (
    plugin_key       text PRIMARY KEY,
    -- The number of the last launch; it only rises.
    generation       bigint NOT NULL,
    crashes_in_a_row integer NOT NULL,
    -- Those within the policy's period, oldest first.
    recent_crashes   timestamptz[] NOT NULL,
    -- Null when it is not quarantined.
    quarantined_at   timestamptz,
    -- Null when it may start at once.
    next_start_at    timestamptz,
    -- How the last worker that crashed ended, as the API shows it.
    last_crash       jsonb,
    updated_at       timestamptz NOT NULL DEFAULT now()
);
