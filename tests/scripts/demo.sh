# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034,SC1091
# The demonstration shows a dead stranger without pidguard, and a live one with it. See check.sh for the arguments.
. "${BASH_SOURCE[0]%/*}/check.sh"

run "$pidguard" --demo
if ((status == 77)); then
  echo "SKIP: $err"
  exit 77
fi
expect status 0
expect err ''
expect out '*the stranger *DEAD *alive*'
expect out '*kill -9 of that number *status 0 *status 1*'
expect out '*event=refused *'
finish
