#!/bin/bash
# SPDX-License-Identifier: MIT
# The service under test. It keeps the PID of a child that is gone, and signals that PID when it is told to. It knows
# nothing of the project. Its folder is $STATE_DIRECTORY.
cd "$STATE_DIRECTORY" || exit 1
rm -f number status go end
mkfifo go end
sleep 0.1 &
child=$!
wait "$child"
[[ $child -gt 1 ]] || exit 1
echo "$child" >number.new && mv number.new number
read -r _ <go
kill -9 "$child"
echo $? >status.new && mv status.new status
read -r _ <end
