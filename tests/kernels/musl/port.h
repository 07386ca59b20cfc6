/* SPDX-License-Identifier: MIT */
/* Included before everything when the tests are built with musl, which has no symbol versions: a test that asks for an
 * old version of a function then gets the one there is. */
#define dlvsym(handle, name, version) ((void)(version), dlsym(handle, name))
