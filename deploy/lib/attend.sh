# Long steps that Ctrl-C, or a kill of the script, must end with the script.
# shellcheck shell=bash disable=SC2154 # $lock_fd: see state.sh

attended=

# attend COMMAND...: runs it in a process group of its own and waits. A trap of
# the script runs at once, where it would wait for a foreground command to end.
attend() {
  (
    [[ ! ${lock_fd:-} ]] || exec {lock_fd}>&-
    exec setsid "$@"
  ) &
  attended=$!
  local status=0
  wait "$attended" || status=$?
  attended=
  return "$status"
}

end_attended() {
  [[ $attended ]] || return 0
  kill -TERM -- "-$attended" 2>/dev/null || true
  wait "$attended" 2>/dev/null || true
  attended=
}
