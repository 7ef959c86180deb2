-- Tells every supervisor which plugin's row changed, whoever changed it: the
-- key on channel supervisor_plugin_config, or an empty payload when all rows
-- may have changed. A write by the host's ORM is seen like one of ours.

CREATE OR REPLACE FUNCTION supervisor_notify_plugin_config() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    PERFORM pg_notify('supervisor_plugin_config', '');
  ELSIF TG_OP = 'DELETE' THEN
    PERFORM pg_notify('supervisor_plugin_config', OLD.key);
  ELSE
    IF TG_OP = 'UPDATE' AND OLD.key <> NEW.key THEN
      PERFORM pg_notify('supervisor_plugin_config', OLD.key);
    END IF;
    PERFORM pg_notify('supervisor_plugin_config', NEW.key);
  END IF;
  RETURN NULL;
END
$$;

-- A plugin is listed with its repository's name. The schema is spelled out
-- because the writer may have another search_path than ours.
CREATE OR REPLACE FUNCTION supervisor_notify_plugin_repo() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SELECT pg_notify(''supervisor_plugin_config'', key)
                    FROM %I.plugins_pluginconfig WHERE source_repo_id = $1', TG_TABLE_SCHEMA)
    USING NEW.id;
  RETURN NULL;
END
$$;

-- Attaches the triggers to those tables that exist and lack them. Called at
-- every start of a supervisor: the host may make plugins_pluginrepo later, or
-- make its tables anew from a backup.
CREATE OR REPLACE FUNCTION supervisor_attach_notifications() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  config regclass := to_regclass('plugins_pluginconfig');
  repo regclass := to_regclass('plugins_pluginrepo');
BEGIN
  IF config IS NOT NULL AND NOT EXISTS (
       SELECT FROM pg_trigger
        WHERE tgrelid = config AND tgname = 'supervisor_plugin_config_changed') THEN
    CREATE TRIGGER supervisor_plugin_config_changed
      AFTER INSERT OR UPDATE OR DELETE ON plugins_pluginconfig
      FOR EACH ROW EXECUTE FUNCTION supervisor_notify_plugin_config();
  END IF;
  IF config IS NOT NULL AND NOT EXISTS (
       SELECT FROM pg_trigger
        WHERE tgrelid = config AND tgname = 'supervisor_plugin_config_truncated') THEN
    CREATE TRIGGER supervisor_plugin_config_truncated
      AFTER TRUNCATE ON plugins_pluginconfig
      FOR EACH STATEMENT EXECUTE FUNCTION supervisor_notify_plugin_config();
  END IF;
  IF repo IS NOT NULL AND NOT EXISTS (
       SELECT FROM pg_trigger
        WHERE tgrelid = repo AND tgname = 'supervisor_plugin_repo_changed') THEN
    CREATE TRIGGER supervisor_plugin_repo_changed
      AFTER UPDATE OF name, is_official ON plugins_pluginrepo
      FOR EACH ROW EXECUTE FUNCTION supervisor_notify_plugin_repo();
  END IF;
END
$$;
