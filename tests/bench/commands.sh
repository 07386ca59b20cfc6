# SPDX-License-Identifier: MIT
# 2,000 short commands for dash and bash, as they occur in scripts. They are external commands, builtins, subshells,
# pipes, substitutions, and background jobs that the shell signals and waits for.
i=0
while [ "$i" -lt 200 ]; do
  /bin/true                                 # 1
  /bin/true && :                            # 2
  if /bin/false; then exit 1; fi            # 3
  word=$(/bin/echo "$i") || exit 1          # 4
  [ "$word" = "$i" ] || exit 1              # 5
  (: subshell) || exit 1                    # 6
  /bin/echo "$i" | /bin/cat >/dev/null      # 7
  /bin/sleep 60 &                           # 8
  kill "$!" && wait "$!" 2>/dev/null        # 9
  i=$((i + 1))                              # 10
done
