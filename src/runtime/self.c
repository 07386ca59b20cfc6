#include "runtime/self.h"

struct pg_self pg_self;
PG_TLS int pg_vfork_mark;
