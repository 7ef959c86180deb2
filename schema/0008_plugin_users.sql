-- The user id that each plugin's worker runs as: given once, never to another,
-- so that files on disk keep their owner. Written by the supervisor alone.
CREATE TABLE supervisor_plugin_users (
    plugin_key text PRIMARY KEY,
    user_id    bigint NOT NULL UNIQUE CHECK (user_id > 0)
);
