// Ownership of a device: an abstract unix socket, gone with the processes that hold it.
#ifndef DRIVERS_OWNER_H
#define DRIVERS_OWNER_H

// Own `space`/`target` (a kind of device and its name). Abstract names belong to the network
// namespace, as interfaces do. Waits up to 2 s: the guard of a dead owner may still be at work.
//
// Returns a descriptor to hold; -EBUSY where another process owns it; -errno.
int owner_acquire(const char *space, const char *target);

#endif
