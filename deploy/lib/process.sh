# Processes that outlive the script that started them, and how to end them.
# A process is known by its number, its start time and the boot it belongs to,
# so that a number given to another process later is never signalled.
# shellcheck shell=bash

# process_identity PID: "PID START BOOT"; fails when there is none, or a zombie.
process_identity() {
  local stat fields boot
  # Not $(<file): when there is no such file, bash 5.2 ends the whole script.
  { IFS= read -rd '' stat || [[ $stat ]]; } 2>/dev/null <"/proc/$1/stat" || return 1
  read -ra fields <<<"${stat##*) }"
  [[ ${fields[0]} != [ZX] ]] || return 1
  read -r boot </proc/sys/kernel/random/boot_id
  printf '%s %s %s\n' "$1" "${fields[19]}" "$boot"
}

# record_process FILE PID
record_process() {
  process_identity "$2" >"$1.new" && mv "$1.new" "$1"
}

# running_process FILE: prints the number of the process recorded in FILE while
# it runs; fails otherwise.
running_process() {
  local recorded
  { read -r recorded; } 2>/dev/null <"$1" || return 1
  [[ $recorded && $(process_identity "${recorded%% *}") == "$recorded" ]] || return 1
  printf '%s\n' "${recorded%% *}"
}

# A second Ctrl-C while things are being stopped ends the patience.
impatient=

# await_end FILE SECONDS: until the recorded process is gone; fails when it is
# not in time. Nobody but its parent is told of a process's end, hence polling.
await_end() {
  local deadline=$((SECONDS + $2))
  while running_process "$1" >/dev/null; do
    [[ $SECONDS -lt $deadline && ! $impatient ]] || return 1
    sleep 0.05
  done
}

# end_process FILE NAME SIGNAL SECONDS: asks the recorded process to end, and
# after that time makes it. Silent when it does not run.
end_process() {
  local file=$1 name=$2 signal=$3 patience=$4 pid
  if pid=$(running_process "$file"); then
    kill -s "$signal" "$pid" 2>/dev/null || true
    if ! await_end "$file" "$patience"; then
      [[ $impatient ]] || say "$name did not end within $patience s; ending it by force"
      kill -s KILL "$pid" 2>/dev/null || true
      impatient='' await_end "$file" 10 || say "$name (process $pid) cannot be ended"
    fi
  fi
  rm -f "$file"
}
