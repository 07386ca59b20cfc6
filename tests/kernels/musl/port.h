/* SPDX-License-Identifier: MIT */
/* The compiler includes this before everything when the tests are built with musl. musl has no symbol versions. So a
 * test that asks for an old version of a function gets the one there is. */
#define dlvsym(handle, name, version) ((void)(version), dlsym(handle, name))
