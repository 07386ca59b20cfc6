# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A story for tests/services/boot.sh. It does what administrators and users do on a whole system, step by step. Each
# step leaves its status, its output and the list of processes after it in /story/result. With the argument "on" it
# first protects everything, by the commands of pidguard-services(7).
set -u
export LC_ALL=C DEBIAN_FRONTEND=noninteractive HOME=/root
result=/story/result
rm -rf "$result" && mkdir -p "$result" && cd "$result" || exit 1
count=0
if [[ ${1-} == on ]]; then
  for example in /story/examples/services-*.test; do
    [[ $(<"$example") == root ]] && break
  done
  bash -e -c "$(<"${example%.test}.text")" >/story/switched-on || exit 1
  grep -q libpidguard-preload /story/switched-on && bash -c 'grep -q libpidguard-preload /proc/self/maps' || exit 1
fi

# Lists all processes but those of this story: names, users and counts. PostgreSQL starts a worker once a minute, which
# lives for a moment.
others() {
  local workers
  workers=" $(pgrep -d ' ' -f ': autovacuum worker') "
  ps -eo pid=,ppid=,user=,comm= | awk -v story=$$ -v workers="$workers" '
    { parent[$1] = $2; pid[NR] = $1; $1 = $2 = ""; said[NR] = $0 }
    END {
      for (i = 1; i <= NR; i++)
        if (pid[i] != story && parent[pid[i]] != story && !index(workers, " " pid[i] " ")) print said[i]
    }' | sort | uniq -c
}

# step STATUS NAME COMMAND: a shell runs the command, whose status without the object is STATUS. Debian 12 and 13 may
# have different ones: 'A|B'.
step() {
  local name
  printf -v name '%03d %s' $((++count)) "$2"
  echo "$1" >"$name.wanted"
  bash -c "$3" >"$name.out" 2>"$name.err" </dev/null
  echo $? >"$name.status"
  type -P ps >/dev/null || return
  sleep 0.2
  others >"$name.others"
}
# Tries a command for some seconds until it succeeds, because services take a moment to start.
export soon='soon() { local i; for i in {1..100}; do "$@" && return; sleep 0.1; done; false; }'

apt='apt-get -q -y --no-install-recommends --no-download -o Dpkg::Use-Pty=0'
step 0 'dpkg --audit' 'dpkg --audit'
step 0 'apt-get install of a few' "$apt install procps less bc tree"
step 0 'bc' 'echo "2^100" | bc'
step 0 'apt-get install of services' "$apt install adduser at cron logrotate nginx-light openssh-server \
  openssh-sftp-server postgresql sudo"
step 0 'dpkg -l' 'dpkg -l | tail -n +6 | cut -c1-60'
step 0 'failed units' 'systemctl --no-pager --plain --failed'
step 0 'running units' 'systemctl --no-pager --plain --no-legend --type=service --state=running | cut -d" " -f1'
step 0 'apt-get install of a manual' "$apt install man-db"

step 0 'adduser' 'adduser --disabled-password --gecos "" ann'
step '1|11' 'adduser again' 'adduser --disabled-password --gecos "" ann'
step 0 'useradd' 'useradd --create-home --shell /bin/bash bob'
step '3|19' 'useradd, a name that is none' 'useradd a:b'
step 0 'chpasswd' 'echo "ann:a password" | chpasswd'
step 0 'passwd --status' 'passwd --status bob | cut -d" " -f1,2'
step 0 'groupadd, usermod' 'groupadd staffers && usermod -aG staffers bob && id bob'
step 0 'addgroup, deluser from it' 'adduser ann staffers && deluser ann staffers'
step 0 'chage' 'chage -l bob | head -n 3'
step 0 'su' 'su - ann -c "id; pwd; umask"'
step 1 'su, a shell script' "su ann -c 'sleep 0.1 & wait \$!; echo \$?; kill -0 \$!'"
step 1 'su to nobody there' 'su - nosuch -c true'
step 42 'su, a status' 'su bob -c "exit 42"'
step 137 'su, killed' "su bob -c 'kill -9 \$\$'"
step 0 'runuser' 'runuser -u bob -- id -un'
step 0 'setpriv' 'setpriv --reuid=bob --regid=bob --clear-groups id'
step 0 'sudo' 'sudo -u bob id'
step 1 'sudo as somebody, not allowed' 'su bob -c "sudo -n true"'
step 0 'sudo, allowed' 'echo "bob ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/bob && chmod 440 /etc/sudoers.d/bob &&
  su bob -c "sudo -n id -u"'
step 7 'sudo, a status' 'sudo sh -c "exit 7"'
step 143 'sudo, killed' "sudo bash -c 'kill -TERM \$\$'"
step 0 'sudo in the background' 'sudo sleep 60 & p=$!; sleep 0.5; kill $p; wait $p; echo $?'
step 0 'sudo -i with a log' 'sudo -i -u ann sh -c "echo \$HOME"'
step 0 'visudo' 'visudo -c'

step 0 'cron' "$soon; echo '* * * * * root date +cron-ran >/tmp/cron-ran' >/etc/cron.d/test; systemctl is-active cron
  for i in {1..13}; do [ -e /tmp/cron-ran ] && break; sleep 5; done; soon test -s /tmp/cron-ran; cat /tmp/cron-ran
  rm /etc/cron.d/test"
step 0 'crontab of a user' 'echo "0 0 1 1 * true" | crontab -u bob - && crontab -u bob -l && crontab -u bob -r'
step 0 'at' "$soon; echo 'id -un >/tmp/at-ran' | at now 2>&1 | grep -c '^job'
  soon test -s /tmp/at-ran; cat /tmp/at-ran"
step 0 'run-parts' 'run-parts --test /etc/cron.daily'
step 0 'logrotate' 'logrotate --force /etc/logrotate.conf'

step 0 'ssh-keygen' 'ssh-keygen -q -t ed25519 -N "" -f /root/.ssh/key && install -d -o bob -m 700 /home/bob/.ssh &&
  install -o bob -m 600 /root/.ssh/key.pub /home/bob/.ssh/authorized_keys'
ssh='ssh -i /root/.ssh/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR bob@127.0.0.1'
step 0 'ssh' "$soon; soon $ssh true; $ssh 'id -un; echo \$SSH_TTY'"
step 9 'ssh, a status' "$ssh 'exit 9'"
step 255 'ssh, killed' "$ssh 'kill -9 \$\$'"
step 0 'ssh with a terminal' "$ssh -tt 'tty >/dev/null; echo \$?'"
step 0 'ssh, jobs and a stale number' "$ssh 'sleep 0.1 & wait \$!; kill \$! 2>/dev/null; echo \$?
  sleep 60 & kill \$!; wait \$!; echo \$?'"
step 0 'ssh, something stays behind' "$ssh 'setsid sleep 300 >/dev/null 2>&1 </dev/null &'"
step 0 'scp' "scp -q -i /root/.ssh/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null /etc/hosts \
  bob@127.0.0.1: && cmp /etc/hosts /home/bob/hosts"
step 255 'ssh, no key' 'ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
  -o LogLevel=ERROR ann@127.0.0.1 true'
step 0 'sshd restarts' "$soon; systemctl restart ssh; soon $ssh true; systemctl is-active ssh"

sql='su postgres -c'
step 0 'PostgreSQL' "$soon; soon $sql 'psql -Atc \"select 6*7\"'"
step 0 'createdb, pgbench' "$sql 'createdb bench &&
  psql -q bench -c \"create table t as select generate_series(1,9999) i\" &&
  psql -At bench -c \"select sum(i) from t\"'"
step 0 'PostgreSQL, a backend is ended' \
  "$sql 'psql -At -c \"select pg_terminate_backend(pg_backend_pid())\"' 2>&1 | tail -n 3"
step 0 'PostgreSQL, a backend is killed' \
  "$sql 'psql -At -c \"copy (select 1) to program '\''kill -9 \\\$PPID'\''\"' 2>&1 | head -n 1
  $soon; soon $sql 'psql -Atc \"select 2\" 2>/dev/null'"
step 0 'PostgreSQL in parallel' "$sql 'psql -At bench -c \"
  set max_parallel_workers_per_gather=2; set parallel_setup_cost=0; set parallel_tuple_cost=0;
  set min_parallel_table_scan_size=0; select count(*) from t\"'"
step 0 'vacuumdb' "$sql 'vacuumdb -q --all --jobs=2'"
step 0 'pg_dump' "$sql 'pg_dump bench | grep -c \"^[0-9]\"'"
step 0 'pg_ctlcluster reload, restart' "$soon; v=\$(ls /usr/lib/postgresql); pg_ctlcluster \$v main reload
  systemctl restart postgresql; soon $sql 'psql -Atc \"select 3\"'; pg_lsclusters -h | cut -d' ' -f2-4"

get='exec 3<>/dev/tcp/127.0.0.1/80 && printf "GET / HTTP/1.0\r\n\r\n" >&3 && head -n 1 <&3'
step 0 'nginx' "$soon; soon systemctl -q is-active nginx; $get"
step 0 'nginx -t' 'nginx -t'
step 0 'nginx reload' "$soon; nginx -s reload; sleep 1; $get; pgrep -c nginx"
step 0 'nginx, a worker is killed' "$soon; pkill -9 -f '^nginx: worker'; sleep 1
  soon pgrep -f '^nginx: worker' >/dev/null; $get"
step 0 'nginx, a new program' "$soon; kill -USR2 \$(</run/nginx.pid); sleep 1
  kill -QUIT \$(</run/nginx.pid.oldbin); sleep 1; $get"
step 1 'nginx stop' "systemctl stop nginx; systemctl is-active nginx; pgrep -c nginx"

step 0 'a shell with jobs' 'set -m; sleep 60 & sleep 61 & kill %1; wait %1; echo $?
  kill -STOP %2; kill -CONT %2; kill %2; wait %2; echo $?'
step 0 'a pipeline' 'yes | head -n 1000 | wc -l; echo "${PIPESTATUS[@]}"'
step 0 'timeout' 'timeout 0.5 sleep 60; echo $?; timeout -s KILL 0.5 sleep 60; echo $?'
step 0 'xargs -P' 'seq 50 | xargs -P 8 -n 1 sh -c "exit 0" && echo all'
step 0 'perl' \
  "perl -e 'my \$p = fork // die; if (!\$p) { exit 3 } waitpid \$p, 0; print \$? >> 8, kill(0, \$p), \"\\n\"'"
step 5 'systemd-run' 'systemd-run --quiet --wait --pipe sh -c "echo in a unit; exit 5"'
step 0 'systemd-run, killed' 'systemd-run --quiet --unit=shot sleep 300; systemctl kill --signal=KILL shot; sleep 0.5
  systemctl show --property=Result,ExecMainStatus shot'
step 0 'systemd-run of a user' 'systemd-run --quiet --wait --pipe --property=DynamicUser=yes sh -c "id -u | grep -c ^6"'
step 0 'journalctl' 'journalctl --quiet --boot --unit=shot --output=cat | grep -c .'

step 0 'deluser' 'pkill -u ann; deluser --remove-home ann'
step 0 'userdel, somebody is logged in' 'su bob -c "setsid sleep 300 >/dev/null 2>&1 &"; sleep 0.3
  userdel bob 2>&1 | sed "s/[0-9][0-9]*$/N/"'
step 0 'userdel' 'pkill -u bob; sleep 0.3; userdel --remove bob'
step 0 'apt-get remove' "$apt remove bc tree"
step 0 'apt-get install again' "$apt install bc"
step 0 'apt-get purge of services' "$apt purge nginx-light postgresql postgresql-common openssh-server \
  openssh-sftp-server at cron"
step 0 'apt-get autoremove' "$apt autoremove --purge"
step 100 'a package that is not there' "$apt install no-such-package"
step 1 'dpkg, a file that is none' 'dpkg -i /etc/hosts'
step 0 'dpkg --verify' 'dpkg --verify'
step 0 'users left' 'cut -d: -f1,3 /etc/passwd'
step 0 'failed units at the end' 'systemctl --no-pager --plain --failed'
echo "$count steps"
