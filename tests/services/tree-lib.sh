# SPDX-License-Identifier: MIT
# Makes root trees for scripts/services (sourced, bash). They contain Debian with systemd, and the object. systemd boots
# in them as the first process of new namespaces. No signal and no mount leaves these, and they have no network.
# Expects pg_root, pg_out, pg_say, and the functions of tests/ports/debian-lib.sh. shellcheck shell=bash disable=SC2154

# The packages that the steps of a whole system install. They are downloaded first, as a booted tree has no network.
tree_packages=(adduser at bc cron less logrotate man-db nginx-light openssh-server openssh-sftp-server postgresql
  procps sudo tree)
# The packages that the measurement installs and purges again and again.
tree_costly=(bc less tree man-db logrotate)

# Makes the tree that all other trees are copies of.
tree_base() {
  local suite=$1 base=$pg_out/base-$1
  [[ ! -e $base/.ready ]] || return 0
  debian_make "$suite" "$base" || {
    tail -n 5 "$base.log" >&2
    return 1
  }
  # shellcheck disable=SC2016
  debian_enter "$base" bash -e -c '
    apt-get -q update
    apt-get -q -y --no-install-recommends install systemd systemd-sysv dbus
    apt-get -q -y --no-install-recommends --download-only install "$@"
    systemctl mask apt-daily.timer apt-daily-upgrade.timer
    echo booted >/etc/hostname
    echo 127.0.0.1 localhost booted >/etc/hosts' bash \
    "${tree_packages[@]}" >>"$base.log" 2>&1 || {
    tail -n 5 "$base.log" >&2
    return 1
  }
  touch "$base/.ready"
}

# tree_copy SUITE NAME: sets tree to a fresh copy.
tree_copy() {
  tree=$pg_out/$2-$1
  rm -rf --one-file-system "$tree" && cp -a --reflink=auto "$pg_out/base-$1" "$tree"
}

# Installs the project from its sources, as an administrator does.
tree_install() {
  DESTDIR=$1 cmake --install "$pg_build" --prefix /usr/local >>"$pg_out/install.log" 2>&1 && chroot "$1" ldconfig
}

# tree_boot TREE STORY [ARGUMENT…]: starts systemd, which runs tests/services/STORY there as a service of root. The
# status is the story's, or 99 if the story did not start. Prints the output of the story.
tree_boot() {
  local tree=$1 story=$2 status=0 group mount
  shift 2
  mount=$(mktemp -d) || return 99
  group=pidguard-services-$BASHPID
  mkdir -p "$tree/story" && rm -rf "${tree:?}"/story/* &&
    cp -r "$pg_root"/tests/services/*.sh "$pg_out/examples" "$tree/story/" || return 99
  printf '%q ' "$@" >"$tree/story/arguments"
  cat >"$tree/etc/systemd/system/story.service" <<END
[Unit]
SuccessAction=exit
FailureAction=exit
Wants=multi-user.target
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/bash -c 'eval "set -- \$\$(</story/arguments)"; . /story/$story'
StandardOutput=file:/story/out
StandardError=file:/story/out
TimeoutStartSec=infinity
END
  unshare --mount --fork bash "$pg_root/tests/services/boot.sh" "$tree" "$mount" "$group" >"$tree.boot.log" 2>&1
  status=$?
  rmdir "$mount"
  [[ -e $tree/story/out ]] || {
    tail -n 5 "$tree.boot.log" >&2
    return 99
  }
  cat "$tree/story/out"
  return "$status"
}
