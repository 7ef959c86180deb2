# What the scripts tell, all on standard error: standard output is for results.
# shellcheck shell=bash

program=${0##*/}

say() { printf '%s: %s\n' "$program" "$*" >&2; }

# One line that says what is wrong and what to do, and the end.
fail() {
  say "$*"
  exit 1
}
