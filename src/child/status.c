#include "child/status.h"

#include "child/child.h"
#include "child/record.h"
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
                                                  .held = offsetof(struct pg_hot, held),
                                                  .budget = offsetof(struct pg_hot, budget),
                                                  .counters = offsetof(struct pg_hot, counters),
                                                  .counter_count = PG_COUNTER_COUNT,
                                                  .stripes = offsetof(struct pg_hot, stripes),
                                                  .stripe_size = sizeof pg_hot.stripes[0],
                                                  .stripe_count = PG_HOT_STRIPES,
                                                  .records = offsetof(struct pg_hot, records),
                                                  .first_records = offsetof(struct pg_hot, first_records),
                                                  .first_count = PG_HOT_RECORDS,
                                                  .record_size = sizeof(struct pg_record),
                                                  .chunk_count = PG_RECORDS_PER_CHUNK,
                                                  .record_word = offsetof(struct pg_record, word),
                                                  .record_pid = offsetof(struct pg_record, pid),
                                                  .record_ino = offsetof(struct pg_record, ino),
                                                  .fd_bits = PG_RECORD_FD_BITS,
                                                  .live_bit = 44,
                                                  .group_bit = 45,
                                                  .counter_names = {
#define X(name) #name,
                                                      PG_COUNTERS(X)
#undef X
                                                  }};
_Static_assert(PG_RECORD_LIVE == (uint64_t)1 << 44 && PG_RECORD_GROUP == (uint64_t)1 << 45, "as said above");

/* Distances are known when the object is linked: nothing is left for the loader to do. */
__asm__(".pushsection .note.pidguard, \"a\", %note\n"
        ".balign 4\n"
        ".long 9, 16, 1\n" /* the owner's length, that of the contents, the version */
        ".asciz \"pidguard\"\n"
        ".balign 4\n"
        ".long pg_status_layout - .\n"
        ".long pg_hot - .\n"
        ".long pg_record_chunks - .\n"
        ".long pg_child_mode - .\n"
        ".popsection\n");
_Static_assert(sizeof(struct pg_status_note) == 16 && PG_STATUS_VERSION == 1, "as said above");

#endif
