# Debian packages: which are missing, and their installation.
# shellcheck shell=bash disable=SC2154 # $root: the script sets it.

# packages_for PURPOSE...: their names, from packages.txt.
packages_for() {
  local purpose name wanted=" $* "
  while read -r purpose name _; do
    [[ $wanted == *" $purpose "* ]] && printf '%s\n' "$name"
  done <"$root/deploy/packages.txt"
  return 0
}

# missing_packages NAME...
missing_packages() {
  local installed
  installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)
  local name
  for name in "$@"; do
    grep -qxF "$name installed" <<<"$installed" || printf '%s\n' "$name"
  done
}

# install_packages yes|no PURPOSE...: makes sure they are there.
install_packages() {
  local may_install=$1
  shift
  if ! command -v dpkg-query >/dev/null; then
    say "this is not Debian: taking it that the packages in deploy/packages.txt are here"
    return 0
  fi
  local wanted missing
  mapfile -t wanted < <(packages_for "$@")
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  ((${#missing[@]})) || return 0
  [[ $may_install == yes ]] || fail "missing Debian packages: ${missing[*]} (leave out --no-install to install them)"
  # sudo asks for a password on the terminal, which an attended command has not.
  local as_root=(attend)
  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      fail "missing Debian packages: ${missing[*]}; install them as root, there is no sudo here"
    as_root=(sudo)
  fi
  say "installing Debian packages: ${missing[*]}"
  # Debian's postgresql would make and start a server for the whole machine. We
  # start our own, so where nobody has set this up yet, say that none is wanted.
  if [[ " ${missing[*]} " == *" postgresql "* && ! -e /etc/postgresql-common/createcluster.conf ]]; then
    "${as_root[@]}" sh -c 'mkdir -p /etc/postgresql-common &&
      echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf'
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q update >&2 ||
    say "apt-get update failed; trying with the package lists there are"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q install -y --no-install-recommends "${missing[@]}" >&2 ||
    fail "apt-get could not install: ${missing[*]} (its reason is above; Debian 12 has them all)"
}
