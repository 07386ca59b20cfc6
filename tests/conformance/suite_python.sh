# SPDX-License-Identifier: MIT
# CPython's own tests of processes, signals and threads, run by the installed python3 through unittest.
# shellcheck shell=bash disable=SC2154,SC2034
suite_version=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
suite_wants=(python3=/usr/bin/python3)
[[ -z $suite_version ]] ||
  suite_wants+=("libpython$suite_version-testsuite=/usr/lib/python$suite_version/test/test_fork1.py")

suite_prepare() { /usr/bin/python3 -c 'import test.test_fork1, test.support' 2>/dev/null; }

suite_units() {
  printf '%s\n' test_fork1 test_wait3 test_wait4 test_posix
  ((conf_quick)) || printf '%s\n' test_subprocess test_os test_signal test_threading test_popen test_pty \
    test_asyncio.test_subprocess test_asyncio.test_unix_events test_concurrent_futures test_multiprocessing_fork \
    test_multiprocessing_spawn test_multiprocessing_forkserver test_ioctl test_resource test_shutil test_tempfile \
    test_platform test_faulthandler test_cmd_line test_atexit test_threadsignals test_openpty test_kqueue test_eintr \
    test_script_helper test_selectors test_socketserver test_mailbox
}

conf_command() {
  local scratch=$suite_dir/scratch
  mkdir -p "$scratch"
  directory=$scratch
  limit=$((conf_limit * 5))
  environment=(env -u PYTHONUNBUFFERED -u PYTHONDONTWRITEBYTECODE PATH=/usr/sbin:/usr/bin:/sbin:/bin "TMPDIR=$scratch")
  command=(/usr/bin/python3 -m test -v -u all,-gui,-network,-urlfetch,-largefile,-audio,-cpu "$1")
}

# The lines are "name (class) ... ok". A test's own output may be between the name and the verdict, even on further
# lines.
conf_verdicts() {
  cat "$2" "$3" | awk '
    { line = $0 }
    match(line, /^[A-Za-z_][A-Za-z0-9_]* \([^)]*\)/) {
      name = substr(line, 1, RLENGTH)
      rest = substr(line, RLENGTH + 1)
    }
    !match(line, /^[A-Za-z_][A-Za-z0-9_]* \([^)]*\)/) { rest = line }
    name != "" && match(rest, /(ok|FAIL|ERROR|skipped .*|expected failure|unexpected success)$/) &&
      (rest ~ /\.\.\. / || rest ~ /^(ok|FAIL|ERROR|skipped .*|expected failure)$/ || rest ~ /(ok|FAIL|ERROR)$/) {
      print name "\t" substr(rest, RSTART); name = ""
    }
    /^Result: / { print "result\t" $2 }'
}
