# The parts of an installation: PostgreSQL, supervisor, gateway. Their records
# are in $state/pids, their logs in $state/log, their sockets in $run.
# shellcheck shell=bash disable=SC2154 # $state, $run: the script sets them.

# last_words LOG: one line that tells why the process that wrote it ended.
last_words() {
  local words
  words=$(grep -aE '^plugin-[a-z]+: |FATAL|PANIC|critical' "$1" 2>/dev/null | tail -n 1) || true
  [[ $words ]] || words=$(grep -a . "$1" 2>/dev/null | tail -n 1) || true
  printf '%s' "${words:-it said nothing}"
}

declare -A title=([gateway]="the gateway" [supervisor]="the supervisor" [postgres]=PostgreSQL)
declare -A part_pids=()

# fail_for NAME WHAT: fails with how that part, which WHAT, ended.
fail_for() {
  local name=$1 status=0 how words log=$state/log/$1.log
  {
    wait "${part_pids[$name]}" || status=$?
    how="exit code $status"
    ((status <= 128)) || how=SIG$(kill -l "$status") || how="signal $((status - 128))"
    words=$(last_words "$log")
  } 2>/dev/null # bash tells of a child that was killed, with its source.
  fail "${title[$name]} $2 ($how): $words (log: $log)"
}

# spawn NAME LOG COMMAND...: in a session of its own, so that Ctrl-C reaches
# only the script, which stops the parts in order. Standard output goes to
# $ready_fd where that is open.
spawn() {
  local name=$1 log=$2
  shift 2
  # Only what this process says is searched for why it ended.
  [[ ! -e $log ]] || mv "$log" "$log.1"
  (
    # bash does not mark its descriptors close-on-exec. The lock must not
    # outlive the script in a part.
    exec {lock_fd}>&- {errors}>&- </dev/null 2>"$log"
    if [[ ${ready_fd:-} ]]; then exec >&"$ready_fd" {ready_fd}>&-; else exec >&2; fi
    # A function ends in an exec of its own.
    [[ $(type -t "$1") != function ]] || "$@"
    # bash has its background commands ignore these, and so would the plugins'
    # own processes.
    exec setsid env --default-signal=INT,QUIT "$@"
  ) &
  part_pids[$name]=$!
  rm -f "$state/pids/$name"
  record_process "$state/pids/$name" "${part_pids[$name]}" 2>/dev/null || true
}

# await_ready NAME LOG: sets $ready_line to the line of JSON by which a part
# says on $ready_fd that it is ready.
await_ready() {
  local name=$1 log=$2 deadline=$((SECONDS + 60)) part
  ready_line=
  while running_process "$state/pids/$name" && ((SECONDS < deadline)); do
    # A time that ends in the middle of a line leaves its beginning in $part.
    if read -r -t 0.2 -u "$ready_fd" part; then
      ready_line+=$part
      ! jq -e 'type == "object"' <<<"$ready_line" || return 0
      ready_line=
    else
      ready_line+=$part
    fi
  done >/dev/null 2>&1 # See fail_for().
  ((SECONDS < deadline)) || fail "${title[$name]} was not ready within 60 s (log: $log)"
  fail_for "$name" "did not start"
}

parts_running() {
  local name
  for name in gateway supervisor postgres; do
    if running_process "$state/pids/$name" >/dev/null; then printf '%s\n' "$name"; fi
  done
}

# is_whole: all parts that were started run.
is_whole() {
  [[ -e $state/pids/gateway && -e $state/pids/supervisor ]] || return 1
  local name
  for name in gateway supervisor postgres; do
    [[ ! -e $state/pids/$name ]] || running_process "$state/pids/$name" >/dev/null || return 1
  done
}

# Workers end when their supervisor does. Should one not, it is known by the
# path of its socket, in a directory of this installation alone.
end_workers() {
  local sockets deadline=$((SECONDS + 15)) files
  sockets=$(readlink -f "$state/run")/w/
  while :; do
    # The path comes by a descriptor, so as not to be on this grep's own command
    # line.
    mapfile -t files < <(grep -lzaFf <(printf '%s\n' "$sockets") /proc/[0-9]*/cmdline 2>/dev/null)
    ((${#files[@]})) || return 0
    if ((SECONDS >= deadline)) || [[ $impatient ]]; then
      files=("${files[@]#/proc/}")
      say "ending workers that outlived the supervisor: ${files[*]%/cmdline}"
      kill -s KILL "${files[@]%/cmdline}" 2>/dev/null || true
      deadline=$((SECONDS + 5))
    fi
    sleep 0.1
  done
}

# In the order in which they need each other, the last first. The gateway
# drains for up to 30 s, a plugin's stop() may take as long.
stop_parts() {
  end_process "$state/pids/gateway" "${title[gateway]}" TERM 40
  end_process "$state/pids/supervisor" "${title[supervisor]}" TERM 60
  end_workers
  end_process "$state/pids/postgres" "${title[postgres]}" INT 30
  # A short directory for sockets that stands elsewhere goes with the parts.
  if [[ -L $state/run ]]; then
    rm -rf "$(readlink "$state/run")" "$state/run"
  fi
}
