-- What an admin has set for single plugins over the daemon's defaults: limits,
-- timeouts, the runtime profile. Written by the supervisor alone.
CREATE TABLE supervisor_plugin_options (
    plugin_key text PRIMARY KEY,
    -- PluginOptions in the JSON form of protobuf, with the names of its fields.
    -- What is absent takes the default.
    options    jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
