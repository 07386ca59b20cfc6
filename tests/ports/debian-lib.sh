# SPDX-License-Identifier: MIT
# Makes root trees of Debian suites for scripts/ports and scripts/services (sourced, bash). debootstrap makes them, with
# git and certificates as the only additions, like a new user's machine. Commands run in them in new namespaces.
# Expects pg_root, pg_say. shellcheck shell=bash disable=SC2154

debian_files=$pg_root/tests/ports

# Prints debootstrap's name of the suite.
debian_suite() {
  case $1 in
  debian-11) echo bullseye ;;
  debian-12) echo bookworm ;;
  debian-13) echo trixie ;;
  debian-sid) echo sid ;;
  *) return 1 ;;
  esac
}

# Makes a fresh copy of the tree, as on a new user's machine. The previous copy is removed.
debian_copy() {
  rm -rf --one-file-system "${2:?}" && cp -a --reflink=auto "$1" "$2"
}

# Makes the tree unless it exists. Its package manager does not wait for the disk, because the tree can be made again.
debian_make() {
  local suite=$1 tree=$2
  [[ -e $tree/.made ]] && return 0
  rm -rf --one-file-system "$tree"
  mkdir -p "${tree%/*}" &&
    debootstrap --variant=minbase --include=ca-certificates,git "$suite" "$tree" >"$tree.log" 2>&1 || return 1
  echo force-unsafe-io >"$tree/etc/dpkg/dpkg.cfg.d/unsafe-io"
  cp /etc/apt/apt.conf.d/* "$tree/etc/apt/apt.conf.d/" 2>/dev/null # the way to the archive, such as a proxy
  touch "$tree/.made"
}

# debian_enter [--chroot] TREE COMMAND…: runs the command as root, with /proc, /dev and /sys. No mount and no signal
# leaves the tree. The tree becomes the root, as in a container. With --chroot it is a plain chroot, in which the kernel
# refuses user namespaces.
debian_enter() {
  local how='pivot_root . . && umount -l .'
  [[ $1 != --chroot ]] || { how=true && shift; }
  local tree=$1
  shift
  cp -L /etc/resolv.conf "$tree/etc/resolv.conf" 2>/dev/null
  # shellcheck disable=SC2016
  unshare --mount --pid --fork --kill-child bash -c '
    tree=$1 how=$2 && shift 2 && mount --make-rprivate / && { [[ $how == true ]] || mount --bind "$tree" "$tree"; } &&
      cd "$tree" && mount -t proc proc proc && mount --rbind /dev dev && mount --rbind /sys sys && eval "$how" &&
      exec chroot . /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TERM=dumb \
      DEBIAN_FRONTEND=noninteractive "$@"' bash "$tree" "$how" "$@" </dev/null
}

# Copies the source to a path inside the tree. With git it copies all files that git does not ignore. Without git it
# copies everything except the builds.
debian_put_source() {
  local tree=$1 to=$2
  rm -rf "${tree:?}$to" && mkdir -p "$tree$to" || return 1
  if git -C "$pg_root" rev-parse --show-toplevel >/dev/null 2>&1; then
    (cd "$pg_root" && git ls-files -z -co --exclude-standard | tar --null --no-recursion -T - -cf - 2>/dev/null)
  else
    tar -C "$pg_root" --exclude='./build*' -cf - .
  fi | tar --no-same-owner -xf - -C "$tree$to"
}
