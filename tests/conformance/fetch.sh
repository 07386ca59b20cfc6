# SPDX-License-Identifier: MIT
# Gets Debian packages and their sources for the conformance runs (sourced, bash). For the sources it makes an apt
# configuration under $conf_cache, from the archives that the system already trusts.
# shellcheck shell=bash disable=SC2154

# Like pg_missing, which also knows PACKAGE=/FILE.
conf_missing() {
  local want
  for want; do
    if [[ ${want#*=} == /* ]]; then
      [[ -e ${want#*=} ]] || printf '%s\n' "${want%%=*}"
    else
      pg_missing "$want"
    fi
  done
}

# Installs missing packages as root. Tells any other user their names. RUNLEVEL=1 keeps packages from starting their
# daemons.
conf_require() {
  local -a missing
  mapfile -t missing < <(conf_missing "$@")
  ((${#missing[@]})) || return 0
  if ((EUID == 0)) && pg_have apt-get; then
    RUNLEVEL=1 pg_apt_install "${missing[@]}"
    mapfile -t missing < <(conf_missing "$@")
    ((${#missing[@]})) || return 0
  fi
  pg_say "missing: ${missing[*]} (on Debian, as root: apt-get install ${missing[*]})"
  return 1
}

conf_apt() {
  local tool=$1 dir=$conf_cache/apt
  shift
  "$tool" -q -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" -o APT::Sandbox::User=root "$@"
}

conf_apt_begin() {
  local dir=$conf_cache/apt
  [[ ! -e $dir/ready ]] || return 0
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" || return 1
  apt-get indextargets --format 'deb-src [trusted=no] $(REPO_URI) $(RELEASE) $(COMPONENT) # $(ORIGIN)' \
    'Created-By: Packages' | awk '/# Debian$/ { sub(/ \[trusted=no\]/, ""); sub(/ #.*/, ""); if (!seen[$0]++) print }' \
    >"$dir/sources.list"
  local key=/usr/share/keyrings/debian-archive-keyring.gpg
  [[ ! -e $key ]] || sed -i "s|^deb-src |deb-src [signed-by=$key] |" "$dir/sources.list"
  conf_apt apt-get update >"$dir/log" 2>&1 && : >"$dir/ready"
}

# Unpacks the source of a binary package into $conf_cache/src-NAME, and prints that directory. It is the installed
# version if the archive has that one, and else any other, because a mirror may lag behind the security archive.
conf_source() {
  local binary=$1 name version target
  conf_require dpkg-dev=dpkg-source || return 1
  # shellcheck disable=SC2016
  name=$(dpkg-query -W -f '${source:Package}' "$binary" 2>/dev/null) || return 1
  # shellcheck disable=SC2016
  version=$(dpkg-query -W -f '${source:Version}' "$binary")
  target=$conf_cache/src-$name
  if [[ ! -e $target ]]; then
    conf_apt_begin || {
      pg_say "cannot get the package sources; see $conf_cache/apt/log"
      return 1
    }
    local try
    rm -rf "$target.new"
    for try in "$version" $(conf_apt apt-cache showsrc "$name" | sed -n 's/^Version: //p' | sort -Vr); do
      (cd "$conf_cache" && conf_apt apt-get source --download-only "$name=$try") >>"$conf_cache/apt/log" 2>&1 &&
        dpkg-source --no-check -x "$conf_cache/${name}_${try#*:}.dsc" "$target.new" >>"$conf_cache/apt/log" 2>&1 &&
        break
    done
    [[ -d $target.new ]] || {
      pg_say "cannot get the source of $name; see $conf_cache/apt/log"
      return 1
    }
    mv "$target.new" "$target"
  fi
  printf '%s\n' "$target"
}
