// Ports and their mirrors: the only code that knows kinds of devices.
//
// A port is an ethdev with one RX and one TX queue a worker; workers then call rte_eth_rx_burst()
// and rte_eth_tx_burst() on `eth_id` themselves. A mirror is the TAP through which Linux stays the
// network stack of the port's addresses. A guard is the process that gives Linux interfaces back
// after a crash.
//
// Order: guard_start(), rte_eal_init(), port_open(), mirror_open(); then mirror_close(),
// port_close(), guard_stop(). Control core only; the EAL must be up for ports, not for mirrors.
#ifndef DRIVERS_H
#define DRIVERS_H

#include "guard.h"
#include "mirror.h"
#include "port.h"

#endif
