# The build of one preset, with progress on standard error.
# shellcheck shell=bash disable=SC2154 # $root: the script sets it.

# build PRESET [TARGET...]: in build/PRESET; nothing to do when it is fresh.
build() {
  local preset=$1 directory=$root/build/$1 build_lock
  shift
  mkdir -p "$directory" 2>/dev/null || fail "cannot create $directory to build in"
  if [[ ! -w $directory ]]; then
    [[ -x $directory/supervisor/plugin-supervisor ]] || fail "cannot write to $directory to build there"
    say "not building, $directory belongs to $(stat -c %U "$directory"): running what is there"
    return 0
  fi
  exec {build_lock}>"$directory/.lock"
  if ! flock -n "$build_lock"; then
    say "waiting for another build in build/$preset"
    attend flock "$directory/.lock" true
    flock "$build_lock"
  fi
  if [[ ! -e $directory/build.ninja ]]; then
    attend cmake -S "$root" --preset "$preset" >&2 || fail "the build of '$preset' could not be configured (see above)"
  fi
  # As many compilers as processors: each may take a gigabyte.
  NINJA_STATUS='[%f/%t, %e s] ' attend cmake --build "$directory" --parallel "$(nproc)" \
    ${1:+--target "$@"} >&2 || fail "the build of '$preset' failed (see above)"
  exec {build_lock}>&-
}
