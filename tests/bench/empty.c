/* SPDX-License-Identifier: MIT */
/* An object with nothing in it. It measures what LD_PRELOAD costs by itself. Calls nothing. */
extern int pg_bench_nothing;
int pg_bench_nothing;
