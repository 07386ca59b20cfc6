/* SPDX-License-Identifier: MIT */
/* The compiler includes this before everything when the tests are built with musl. musl has no symbol versions. So a
 * test that asks for an old version of a function gets the one there is. */
#define dlvsym(handle, name, version) ((void)(version), dlsym(handle, name))
/* For `#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)`, which has to be an expression without glibc as well. */
#define __GLIBC_PREREQ(major, minor) 0
