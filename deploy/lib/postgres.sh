# A PostgreSQL of our own in the state directory: data, and its socket beside
# the data, where only its user and root can reach it. No TCP.
# shellcheck shell=bash disable=SC2154 # $state and $run: the script sets them.

# As whom it runs: it refuses to be root.
postgres_user() {
  if ((EUID != 0)); then
    id -un
  elif id postgres >/dev/null 2>&1; then
    echo postgres
  else
    echo nobody
  fi
}

# postgres_programs DATA: the directory of the server's programs; the version
# that made the data, or the newest.
postgres_programs() {
  local version='*' programs
  [[ ! -e $1/PG_VERSION ]] || version=$(<"$1/PG_VERSION")
  # shellcheck disable=SC2086 # The star is meant.
  programs=$(printf '%s\n' /usr/lib/postgresql/$version/bin | sort -V | tail -n 1)
  [[ -x $programs/postgres ]] || return 1
  printf '%s\n' "$programs"
}

# in_data DATA COMMAND...: replaces this shell by the command, in a session of
# its own, as the server's user, with the data directory open as descriptor 7. The server gets to it by
# that descriptor: the path may lead through a directory that its user may not
# enter, such as /root.
in_data() {
  local data=$1 user=()
  shift
  if ((EUID == 0)); then
    user=(setpriv "--reuid=$(postgres_user)" "--regid=$(id -g "$(postgres_user)")" --clear-groups)
  fi
  exec 7<"$data"
  cd /
  exec setsid "${user[@]}" env -i --default-signal=INT,QUIT PATH="$PATH" LANG=C.UTF-8 "$@"
}

# make_data DATA LOG: an empty cluster. Made aside and renamed, so that one that
# was interrupted is not taken for whole.
make_data() {
  local data=$1 log=$2 programs
  programs=$(postgres_programs "$data") || fail "no PostgreSQL server in /usr/lib/postgresql; install the package postgresql"
  rm -rf "$data.new"
  mkdir -m 700 "$data.new"
  ((EUID != 0)) || chown "$(postgres_user):" "$data.new" ||
    fail "cannot give $data to user $(postgres_user); choose a state directory on another file system"
  (in_data "$data.new" "$programs/initdb" -D /proc/self/fd/7 -U postgres --auth=trust \
    --encoding=UTF8 --locale=C.UTF-8) >>"$log" 2>&1 </dev/null ||
    fail "PostgreSQL could not create its data directory: $(tail -n 1 "$log") (log: $log)"
  mv "$data.new" "$data"
}

# end_stray_postgres DATA: ends a server that still runs on the data though no
# record of it is left, and removes the lock file of one that does not. A stale
# lock file whose number now belongs to some other server would stop the start.
end_stray_postgres() {
  local data=$1 pid
  [[ -e $data/postmaster.pid ]] || return 0
  pid=$(head -n 1 "$data/postmaster.pid")
  if [[ $pid =~ ^[0-9]+$ && "/proc/$pid/cwd" -ef $data ]]; then
    record_process "$state/pids/postgres" "$pid"
    end_process "$state/pids/postgres" PostgreSQL INT 20
  fi
  rm -f "$data/postmaster.pid" "$data"/.s.PGSQL.*.lock
}

# start_postgres: sets DATABASE_URL. Expects $state and $run.
start_postgres() {
  local data=$state/postgres log=$state/log/postgres.log programs
  # What is meant for another server must not reach the client programs.
  unset "${!PG@}"
  if [[ ! -e $data/PG_VERSION ]]; then
    say "creating a database in $data"
    make_data "$data" "$log"
  fi
  [[ -O $data || $EUID -eq 0 ]] || fail "$data belongs to $(stat -c %U "$data"); run as that user, or choose another --state"
  programs=$(postgres_programs "$data") ||
    fail "$data was made by PostgreSQL $(<"$data/PG_VERSION"), which is not installed here"
  end_stray_postgres "$data"
  rm -f "$run/database"
  # By this name, since a socket's path has at most 107 bytes.
  ln -s "$data" "$run/database"
  spawn postgres "$log" in_data "$data" "$programs/postgres" -D /proc/self/fd/7 \
    -c listen_addresses= -c unix_socket_directories=. -c unix_socket_permissions=0700 -c port=5432
  local deadline=$((SECONDS + 60))
  until "$programs/pg_isready" -q -h "$run/database" -p 5432 -U postgres -d postgres; do
    running_process "$state/pids/postgres" >/dev/null ||
      fail_for postgres "did not start"
    ((SECONDS < deadline)) || fail "PostgreSQL was not ready within 60 s (log: $log)"
    sleep 0.1
  done
  local psql=("$programs/psql" -X -q -A -t -h "$run/database" -p 5432 -U postgres -d postgres -v ON_ERROR_STOP=1)
  # The supervisor owns its database, and nothing else.
  if [[ ! $("${psql[@]}" -c "SELECT 1 FROM pg_database WHERE datname = 'plugin_supervisor'" 2>>"$log") ]]; then
    {
      "${psql[@]}" -c "DROP ROLE IF EXISTS plugin_supervisor" -c "CREATE ROLE plugin_supervisor LOGIN" &&
        "${psql[@]}" -c "CREATE DATABASE plugin_supervisor OWNER plugin_supervisor"
    } 2>>"$log" || fail "PostgreSQL could not create the database: $(last_words "$log") (log: $log)"
  fi
  local host=${run//\\/\\\\}
  # shellcheck disable=SC2034 # The script hands it on.
  DATABASE_URL="host='${host//\'/\\\'}/database' port=5432 user=plugin_supervisor dbname=plugin_supervisor"
}
