/* SPDX-License-Identifier: MIT */
#include "child/status.h"

#include "child/child.h"
#include "child/held.h"
#include "runtime/hot.h"

#ifdef PG_PRELOAD

_Static_assert(PG_COUNTER_COUNT <= PG_STATUS_COUNTERS, "all counters have a name there");
_Static_assert(PG_COUNT_signals == 1, "the stripes belong to the second counter");

extern const struct pg_status_layout pg_status_layout PG_HIDDEN;
const struct pg_status_layout pg_status_layout = {.size = sizeof pg_status_layout,
                                                  .pointer_size = sizeof(void *),
                                                  .version = PG_VERSION,
                                                  .pid = offsetof(struct pg_hot, pid),
                                                  .tickets = offsetof(struct pg_hot, tickets),
                                                  .retired_max = offsetof(struct pg_hot, retired_max),
                                                  .counters = offsetof(struct pg_hot, counters),
                                                  .counter_count = PG_COUNTER_COUNT,
                                                  .stripes = offsetof(struct pg_hot, stripes),
                                                  .stripe_size = sizeof pg_hot.stripes[0],
                                                  .stripe_count = PG_HOT_STRIPES,
                                                  .sets = offsetof(struct pg_hot, sets),
                                                  .set_count = PG_HOT_SETS,
                                                  .level_count = offsetof(struct pg_hot, levels),
                                                  .level_size = sizeof(struct pg_sets),
                                                  .level_sets = offsetof(struct pg_sets, sets),
                                                  .level_mask = offsetof(struct pg_sets, mask),
                                                  .set_size = sizeof(struct pg_set),
                                                  .ways = PG_WAYS,
                                                  .pid_bits = 22,
                                                  .state_bits = 3,
                                                  .state_live = PG_LIVE,
                                                  .state_gone_group = PG_GONE_GROUP,
                                                  .cell_count = PG_CELLS,
                                                  .cell_size = sizeof(struct pg_cell),
                                                  .cell_id = offsetof(struct pg_cell, id),
                                                  .cell_fd = offsetof(struct pg_cell, fd),
                                                  .counter_names = {
#define X(name) #name,
                                                      PG_COUNTERS(X)
#undef X
                                                  }};
_Static_assert(PG_PID_LIMIT == 1 << 22, "as said above");

/* The linker knows these distances, so the loader has no work with them. */
__asm__(".pushsection .note.pidguard, \"a\", %note\n"
        ".balign 4\n"
        ".long 9, 20, 1\n" /* the length of the owner, that of the contents, the version */
        ".asciz \"pidguard\"\n"
        ".balign 4\n"
        ".long pg_status_layout - .\n"
        ".long pg_hot - .\n"
        ".long pg_number_levels - .\n"
        ".long pg_child_mode - .\n"
        ".long pg_cells - .\n"
        ".popsection\n");
_Static_assert(sizeof(struct pg_status_note) == 20 && PG_STATUS_VERSION == 1, "as said above");

#endif
