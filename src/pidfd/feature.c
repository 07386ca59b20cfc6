/* SPDX-License-Identifier: MIT */
/* The mask that tests set. */
#include "pidfd/feature.h"

_Atomic unsigned pg_feature_mask;
