-- Who has changed or controlled what. Rows are added and never changed; what is
-- old is removed by supervisor_audit_prune() alone, which leaves a row that says
-- so.
CREATE TABLE supervisor_audit (
    -- Rises with time: microseconds since 1970, or one more than the last.
    id           bigint PRIMARY KEY,
    at           timestamptz NOT NULL,
    -- A user of the host; "token:" and a fingerprint; a role of the database.
    actor        text NOT NULL,
    -- As the actor's own caller named itself; empty = nobody.
    on_behalf_of text NOT NULL,
    -- pluginctl, gateway, database
    origin       text NOT NULL,
    -- The address that asked the gateway; empty = none.
    client       text NOT NULL,
    request_id   text NOT NULL,
    -- Empty = all plugins, or none.
    plugin_key   text NOT NULL,
    action       text NOT NULL,
    -- What was done more exactly; never a value of a setting.
    details      jsonb NOT NULL,
    -- Empty = it was done; else the code of the reason why it was refused.
    reason       text NOT NULL
);

CREATE INDEX supervisor_audit_plugin ON supervisor_audit (plugin_key, id);
-- Runs are nearly all of it: what is looked for is the rest.
CREATE INDEX supervisor_audit_rare ON supervisor_audit (action, id) WHERE action <> 'run';
-- As good as sorted by time, so this one costs next to nothing.
CREATE INDEX supervisor_audit_at ON supervisor_audit USING brin (at);

CREATE FUNCTION supervisor_audit_refuse() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'supervisor_audit is append-only: % is refused', TG_OP
    USING ERRCODE = 'insufficient_privilege',
          HINT = 'SELECT supervisor_audit_prune(before) removes old rows, and records it.';
END
$$;

CREATE TRIGGER supervisor_audit_unchanged BEFORE UPDATE OR TRUNCATE ON supervisor_audit
  FOR EACH STATEMENT EXECUTE FUNCTION supervisor_audit_refuse();

-- What is removed must be older than a row of the same transaction tells: so
-- nothing goes without a trace, whoever removes it.
CREATE FUNCTION supervisor_audit_check_removed() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  told timestamptz;
BEGIN
  EXECUTE format('SELECT max((details->>''before'')::timestamptz) FROM %I.supervisor_audit
                   WHERE action = ''prune'' AND id >= $1
                     AND details->>''transaction'' = pg_current_xact_id()::text',
                 TG_TABLE_SCHEMA)
    INTO told USING (extract(epoch FROM now()) * 1e6)::bigint;
  IF EXISTS (SELECT FROM removed WHERE told IS NULL OR at >= told) THEN
    RAISE EXCEPTION 'supervisor_audit is append-only: DELETE is refused'
      USING ERRCODE = 'insufficient_privilege',
            HINT = 'SELECT supervisor_audit_prune(before) removes old rows, and records it.';
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER supervisor_audit_removed AFTER DELETE ON supervisor_audit
  REFERENCING OLD TABLE AS removed
  FOR EACH STATEMENT EXECUTE FUNCTION supervisor_audit_check_removed();

-- For an admin: removes what is older than `before`, and returns how many rows
-- that were. Runs with the rights of the table's owner; who may call it is
-- said by GRANT EXECUTE.
CREATE FUNCTION supervisor_audit_prune(before timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  pruned bigint;
BEGIN
  IF before IS NULL OR before > now() THEN
    RAISE EXCEPTION 'before must be a time that has passed';
  END IF;
  SELECT count(*) INTO pruned FROM supervisor_audit WHERE at < before;
  INSERT INTO supervisor_audit
  SELECT greatest((extract(epoch FROM clock_timestamp()) * 1e6)::bigint, coalesce(max(id), 0) + 1),
         clock_timestamp(), session_user, '', 'database', coalesce(host(inet_client_addr()), ''),
         '', '', 'prune',
         jsonb_build_object('before', before, 'rows', pruned,
                            'transaction', pg_current_xact_id()::text),
         ''
    FROM supervisor_audit;
  DELETE FROM supervisor_audit WHERE at < before;
  RETURN pruned;
END
$$;

REVOKE EXECUTE ON FUNCTION supervisor_audit_prune(timestamptz) FROM PUBLIC;

-- Whoever may call it must not choose what its names mean.
DO $$
BEGIN
  EXECUTE format('ALTER FUNCTION supervisor_audit_prune(timestamptz) SET search_path = %I, pg_temp',
                 current_schema());
END
$$;
