#include "runtime/self.h"

PG_TLS int pg_vfork_mark;
