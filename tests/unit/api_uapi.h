/* SPDX-License-Identifier: MIT */
/* Constants by name, as the kernel's headers have them. */
#ifndef API_UAPI_H
#define API_UAPI_H

struct uapi_constant {
  const char *name; /* NULL ends the table */
  long long value;
};

extern const struct uapi_constant uapi_constants[];

#endif
