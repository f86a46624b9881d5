// Files below /proc/sys and /sys: one short line each.
#ifndef DRIVERS_SYSCTL_H
#define DRIVERS_SYSCTL_H

#include <stddef.h>

// The value without its newline. Returns 0 or -errno.
int sysctl_read(const char *path, char *text, size_t text_bytes);
// Write it where it is another now. Returns 0 or -errno.
int sysctl_set(const char *path, const char *text);
// Returns 0 or -errno: -EROFS or -EACCES where /proc/sys is read-only.
int sysctl_write(const char *path, const char *text);

#endif
