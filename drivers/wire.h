// The Linux interface under a kernel's wire: claim it for a port, make the kernel deaf on it.
#ifndef DRIVERS_WIRE_H
#define DRIVERS_WIRE_H

#include "kind.h"

#include "interface.h"

// Look the target up, refuse it where the kernel uses it for itself, set the MTU and bring it up.
// What is changed goes to the journal. Returns 0, or opening_fail().
int wire_claim(struct opening *opening, struct interface *out);
// Make the kernel ignore what arrives there: packet sockets see it before. Returns 0, or
// opening_fail().
int wire_deafen(struct opening *opening, const struct interface *interface);
// Make the kernel say nothing of its own there: with IPv6 it would make up the mirror's link-local
// address once more, and solicit routers. wire_deafen() does so too. Returns 0, or opening_fail().
int wire_mute(struct opening *opening);

#endif
