/* SPDX-License-Identifier: MIT */
/* What the two files of the test of tracked children share. */
#ifndef API_TRACK_H
#define API_TRACK_H

#include "pidfd_support.h" /* CHECK_EQ, CHECK_ERRNO; none of its functions is linked in here */

extern bool preloaded, off; /* the form of the library, see api_track.c */

/* Makes a tracked child that exits with the code, or pauses if the code is negative. */
pid_t tracked(int code);

void no_stranger(void);
void overwritten(void);
void own_number(void);
void spawned_number(void);
void adopted_before_anything(void);

#endif
