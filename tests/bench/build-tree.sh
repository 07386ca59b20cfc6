#!/bin/sh
# SPDX-License-Identifier: MIT
# One operation of the benchmark: builds tree.mk from nothing. Arguments: SRC OUT.
rm -rf "$2" && mkdir "$2" && exec make -s -j2 -f "$1/tests/bench/tree.mk" SRC="$1" OUT="$2" CC="${CC:-cc}"
