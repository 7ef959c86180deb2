-- What an admin has granted to single plugins. A plugin without a row has been
-- granted nothing beyond its profile's default. Written by the supervisor alone.
CREATE TABLE supervisor_permission_grants (
    plugin_key text PRIMARY KEY,
    -- Permissions as they stand in a plugin.json.
    granted    jsonb NOT NULL,
    -- Who has last changed it, as the caller named itself.
    granted_by text NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT now()
);
