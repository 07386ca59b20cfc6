# SPDX-License-Identifier: MIT
# Gets packages of other distributions and machines for scripts/kernels and scripts/ports (sourced, bash). It uses apt
# with its own configuration, does not change the system's apt, and installs nothing. Packages are verified by the
# archives' keys and unpacked. The variable PG_DEBIAN_ARCHIVE is the URL of Debian's archive. The default is the archive
# of this machine's apt. PG_UBUNTU_ARCHIVE is the URL of Ubuntu's archive.
# Expects pg_cache. shellcheck shell=bash disable=SC2154

debian_keys=/usr/share/keyrings/debian-archive-keyring.gpg

# fetch_apt ARCHIVE SUITE MACHINE COMMAND…: apt-get or apt-cache for that archive. The lists are kept in the cache.
fetch_apt() {
  local archive=$1 suite=$2 machine=$3 dir=$pg_cache/apt/$1-$2-$3 keys=$debian_keys url=${PG_DEBIAN_ARCHIVE:-}
  shift 3
  if [[ $archive == ubuntu ]]; then
    url=${PG_UBUNTU_ARCHIVE:-} keys=$pg_cache/ubuntu-archive-keyring.gpg
  elif [[ ! $url ]]; then
    url=$(apt-get indextargets --format '$(SITE)' 2>/dev/null | grep -m 1 '/debian/*$')
  fi
  [[ $url ]] || {
    echo "kernels: the archive of $archive is unknown; set PG_${archive^^}_ARCHIVE=URL" >&2
    return 1
  }
  mkdir -p "$dir"/lists/partial "$dir"/cache/archives/partial "$dir"/parts
  printf 'deb [signed-by=%s] %s %s main\n' "$keys" "$url" "$suite" >"$dir/sources.list"
  cat >"$dir/apt.conf" <<EOF
Dir::Etc::SourceList "$dir/sources.list";
Dir::Etc::SourceParts "$dir/parts";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "$dir/parts";
Dir::State::Lists "$dir/lists";
Dir::State::status "/dev/null";
Dir::Cache "$dir/cache";
APT::Architecture "$machine";
APT::Architectures { "$machine"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
EOF
  if [[ ! -e $dir/updated ]]; then
    APT_CONFIG=$dir/apt.conf apt-get -q update >"$dir/update.log" 2>&1 && ! grep -q '^[EW]:' "$dir/update.log" || {
      tail -n 5 "$dir/update.log" >&2
      return 1
    }
    : >"$dir/updated"
  fi
  APT_CONFIG=$dir/apt.conf "$@"
}

# fetch_unpack ARCHIVE SUITE MACHINE PACKAGE TO: one package's files.
fetch_unpack() {
  local archive=$1 suite=$2 machine=$3 package=$4 to=$5 work status=1
  work=$(mktemp -d "$pg_cache/unpack.XXXXXX") || return 1
  if (cd "$work" && fetch_apt "$archive" "$suite" "$machine" apt-get -q download "$package" >log 2>&1); then
    mkdir -p "$to" && dpkg-deb -x "$work"/*.deb "$to" && status=0
  else
    tail -n 3 "$work/log" >&2
  fi
  rm -rf "$work"
  return "$status"
}

# Prints the path of a static busybox for a machine. It is not installed, because Debian's static and dynamic packages
# exclude each other, and the suite wants the dynamic one.
fetch_busybox() {
  local dir=$pg_cache/busybox-$1 path
  [[ -d $dir ]] || fetch_unpack debian bookworm "$1" busybox-static "$dir" || return 1
  for path in "$dir"/{,usr/}bin/busybox; do
    [[ ! -x $path ]] || { printf '%s\n' "$path" && return; }
  done
  return 1
}

# Gets the key of Ubuntu's archive from a package of Debian, so that Debian's key verifies it.
fetch_ubuntu_key() {
  local work
  [[ -s $pg_cache/ubuntu-archive-keyring.gpg ]] && return 0
  work=$(mktemp -d "$pg_cache/unpack.XXXXXX") || return 1
  fetch_unpack debian trixie amd64 ubuntu-keyring "$work" &&
    cp -L "$work/usr/share/keyrings/ubuntu-archive-keyring.gpg" "$pg_cache/"
  local status=$?
  rm -rf "$work"
  return "$status"
}

# Prints the packages that may contain the kernel itself. These are a package with a version in its name, or the
# dependencies of a metapackage, at most two steps away.
fetch_kernel_packages() {
  local archive=$1 suite=$2 machine=$3 package=$4 depth=${5:-0} next
  if ((depth == 0)) && [[ $package =~ -[0-9]+\.[0-9]+ ]]; then
    printf '%s\n' "$package"
    return
  fi
  for next in $(fetch_apt "$archive" "$suite" "$machine" apt-cache --no-recommends --no-suggests depends "$package" |
    sed -n 's/^ *|\?Depends: \(linux-\(image\|binary\)[a-z-]*-[0-9][^ ]*\)$/\1/p'); do
    printf '%s\n' "$next"
    ((depth < 1)) && fetch_kernel_packages "$archive" "$suite" "$machine" "$next" $((depth + 1))
  done
}

# fetch_kernel NAME ARCHIVE SUITE MACHINE PACKAGE: leaves NAME/vmlinuz and NAME/release in the cache.
fetch_kernel() {
  local name=$1 archive=$2 suite=$3 machine=$4 package=$5 dir=$pg_cache/kernels/$1 one found
  [[ -s $dir/vmlinuz && -s $dir/release ]] && return 0
  [[ $archive != ubuntu ]] || fetch_ubuntu_key || return 1
  for one in $(fetch_kernel_packages "$archive" "$suite" "$machine" "$package"); do
    rm -rf "$dir.new" && fetch_unpack "$archive" "$suite" "$machine" "$one" "$dir.new" || continue
    found=$(find "$dir.new" -type f -name 'vmlinuz*' -print -quit)
    if [[ $found ]]; then
      mkdir -p "$dir" && cp "$found" "$dir/vmlinuz" && printf '%s\n' "${one#"${one%%[0-9]*}"}" >"$dir/release"
      rm -rf "$dir.new"
      return 0
    fi
  done
  rm -rf "$dir.new"
  return 1
}
