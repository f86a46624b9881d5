// What doctor finds: judged, and with what to type.
#ifndef TURNPIKECTL_FINDING_H
#define TURNPIKECTL_FINDING_H

#include "ctl.h"

#include "conf/conf.h"

#define CPUS_MAX 1024
#define NODES_MAX 16
#define SMALL_PAGE_MIB 2
#define LARGE_PAGE_MIB 1024

enum severity {
	SEVERITY_OK,
	SEVERITY_WARNING, // it works, and not as well as it could
	SEVERITY_ERROR, // it does not start, or loses calls
};

struct doctor {
	const char *root; // in front of /proc and /sys
	const struct conf *conf; // NULL where it cannot be read
	long long daemon_pid; // once it has answered, else 0
	json_t *findings;
	enum severity worst;
};

// `advice` is what to type, or NULL.
void finding_add(struct doctor *doctor, enum severity severity, const char *subject,
	const char *advice, const char *format, ...) __attribute__((format(printf, 5, 6)));

// The first line of a file below the root, without its end; false where there is none.
bool finding_read(const struct doctor *doctor, char *out, size_t n_bytes, const char *path_format,
	...) __attribute__((format(printf, 4, 5)));
// The number in it; -1 where there is none.
long finding_read_number(const struct doctor *doctor, const char *path_format, ...)
	__attribute__((format(printf, 2, 3)));
bool finding_exists(const struct doctor *doctor, const char *path_format, ...)
	__attribute__((format(printf, 2, 3)));

// Each looks at one matter. machine.c:
void check_hugepages(struct doctor *doctor);
// Without a configuration too. The daemon's, if check_daemon() has found one.
void check_memlock(struct doctor *doctor);
void check_cpus(struct doctor *doctor);
// numa.c: what is far from what, and the pages of a size on a node, all or free ("nr", "free"); -1
// where that is not told.
void check_nic_node(struct doctor *doctor, const struct conf_port *port, const char *device_path);
void check_node_memory(struct doctor *doctor);
long node_pages(const struct doctor *doctor, int node, long page_mib, const char *what);
// network.c:
void check_iommu(struct doctor *doctor);
void check_ports(struct doctor *doctor);
void check_relay_ports(struct doctor *doctor);
void check_kernel_ports(struct doctor *doctor);
void check_rp_filter(struct doctor *doctor);
// nic.c: an interface's driver, as the kernel has it, and those that the daemon uses.
void check_interface_nic(struct doctor *doctor, const struct conf_port *port);
void check_daemon_nics(struct doctor *doctor, const json_t *ports);
// The daemon, once it runs. daemon.c:
void check_daemon(struct doctor *doctor, struct ctl *ctl);

#endif
