# SPDX-License-Identifier: MIT
# A real source tree to build: the library's own sources, by plain make. SRC is the top of this project, OUT a directory
# that is emptied first; the compiler is CC. (CMake's makefiles would mostly measure CMake.)
sources := $(foreach room,base kernel runtime pidfd child api preload,$(wildcard $(SRC)/src/$(room)/*.c))
objects := $(patsubst $(SRC)/src/%.c,$(OUT)/%.o,$(sources))

$(OUT)/libtree.a: $(objects)
	ar rc $@ $^

$(objects): $(OUT)/%.o: $(SRC)/src/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O1 -D_GNU_SOURCE -DPG_PRELOAD -DPG_VERSION='"tree"' -fPIC -fvisibility=hidden \
	  -I$(SRC)/src -I$(SRC)/include -c -o $@ $<
