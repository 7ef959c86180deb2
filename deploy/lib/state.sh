# The state directory of an installation: one at a time works on it.
# shellcheck shell=bash

# open_state DIR: sets $state (absolute) and makes what belongs in it.
open_state() {
  mkdir -p "$1" 2>/dev/null || fail "cannot create the state directory $1"
  state=$(realpath "$1")
  # PostgreSQL's user passes through; what is inside is closed to others.
  if ! { chmod 711 "$state" && mkdir -p "$state/log" "$state/pids" &&
    chmod 700 "$state/log" "$state/pids" && : >"$state/pids/.writable" && rm "$state/pids/.writable"; } 2>/dev/null; then
    fail "cannot write to the state directory $state"
  fi
}

# lock_state SECONDS: fails when another holds it for so long. The lock goes
# with this process, however it ends.
lock_state() {
  exec {lock_fd}>"$state/lock" && flock -w "$1" "$lock_fd"
}

# open_run: sets $run, an empty directory for sockets. Where the state's path is
# long it stands elsewhere, since a socket's path has at most 107 bytes and the
# supervisor puts some below.
open_run() {
  run=$state/run
  rm -rf "$run"
  if ((${#run} > 70)); then
    local parent=/tmp name
    name=plugin-supervisor-$EUID-$(sha256sum <<<"$state" | head -c 12)
    ((EUID != 0)) || parent=/run
    # Made by us just now, or not used: anyone may write to /tmp.
    rm -rf "${parent:?}/$name"
    mkdir -m 700 "$parent/$name" || fail "cannot create $parent/$name, which is to hold the sockets"
    ln -s "$parent/$name" "$run"
    run=$parent/$name
  else
    mkdir -m 700 "$run"
  fi
}
