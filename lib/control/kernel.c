// Linux as the network stack of our addresses: frames to and from the mirror, and relayed packets
// whose neighbour it must find first.
#include "state.h"

#include <netinet/in.h>
#include <stdalign.h>
#include <sys/socket.h>

#define FRAMES_PER_READ 64
#define SPEAKER_LOOK_MS 500

static bool write_mirror(const struct control_port *port, struct rte_mbuf *mbuf)
{
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	size_t n_bytes = mbuf->data_len;
	enum pkt_kind kind;
	struct pkt p;

	if (!port->mirror)
		return false;
	kind = pkt_parse(&p, frame, n_bytes, port->vlan);
	if (kind > PKT_FRAGMENT)
		return false;
	if (port->kernel_wire)
		pkt_foreign_checksum_finish(&p, n_bytes);
	if (p.l2_bytes == PKT_L2_BYTES_MAX) {
		frame = pkt_vlan_strip(frame);
		n_bytes -= PKT_VLAN_BYTES;
	}
	return mirror_write(port->mirror, frame, n_bytes) == 0;
}

void mirror_frame(struct control *c, const struct msg *msg)
{
	if (write_mirror(&c->ports[msg->port_idx], msg->mbuf))
		c->stats.n_mirror_to_kernel++;
	else
		c->stats.n_mirror_lost++;
	rte_pktmbuf_free(msg->mbuf);
}

static bool send_ipv4(const struct control *c, const struct pkt *p, size_t n_bytes)
{
	struct sockaddr_in to = {.sin_family = AF_INET};

	memcpy(&to.sin_addr, pkt_target_ip(p), sizeof(to.sin_addr));
	return sendto(c->kernel_fd, p->l3, n_bytes, MSG_DONTWAIT, (struct sockaddr *)&to,
		       sizeof(to)) >= 0;
}

// Unlike IPv4's, this socket takes the source that rules look at from the side, not from the
// header.
static bool send_ipv6(const struct control *c, const struct pkt *p, size_t n_bytes)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6};
	struct in6_pktinfo source = {0};
	alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(source))] = {0};
	struct iovec packet = {p->l3, n_bytes};
	const struct msghdr message = {
		.msg_name = &to,
		.msg_namelen = sizeof(to),
		.msg_iov = &packet,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	memcpy(&to.sin6_addr, pkt_target_ip(p), sizeof(to.sin6_addr));
	memcpy(&source.ipi6_addr, pkt_source_ip(p), sizeof(source.ipi6_addr));
	header->cmsg_level = IPPROTO_IPV6;
	header->cmsg_type = IPV6_PKTINFO;
	header->cmsg_len = CMSG_LEN(sizeof(source));
	memcpy(CMSG_DATA(header), &source, sizeof(source));
	return sendmsg(c->kernel6_fd, &message, MSG_DONTWAIT) >= 0;
}

static bool send_to_kernel(const struct control *c, const struct msg *msg)
{
	const uint16_t vlan = c->ports[msg->port_idx].vlan;
	size_t n_bytes;
	struct pkt p;

	if (pkt_parse(&p, rte_pktmbuf_mtod(msg->mbuf, uint8_t *), msg->mbuf->data_len, vlan) !=
		PKT_UDP)
		return false;
	n_bytes = (size_t)(p.payload + p.payload_bytes - p.l3);
	return p.family == FAMILY_IPV4 ? send_ipv4(c, &p, n_bytes) : send_ipv6(c, &p, n_bytes);
}

// A finished packet without an Ethernet header it could be sent with: the kernel queues it behind
// its question for the neighbour and sends it through the mirror.
void kernel_packet(struct control *c, const struct msg *msg)
{
	if (send_to_kernel(c, msg))
		c->stats.n_kernel_sent++;
	else
		c->stats.n_kernel_lost++;
	rte_pktmbuf_free(msg->mbuf);
}

// All frames leave by one worker, for they must stay in order. Messages that have waited for it
// from one look to the next, with none applied, say that it stands still.
void speaker_look(struct control *c, const struct turn_time *time)
{
	struct speaker *s = &c->speaker;
	const struct control_worker *worker = &c->workers[s->worker_idx];
	uint64_t applied_seq;

	if (time->now_ms < s->looked_ms + SPEAKER_LOOK_MS)
		return;
	applied_seq = atomic_load_explicit(worker->applied_seq, memory_order_relaxed);
	if (s->had_waiting && applied_seq == s->applied_seq) {
		s->worker_idx = (s->worker_idx + 1) % c->n_workers;
		worker = &c->workers[s->worker_idx];
		applied_seq = atomic_load_explicit(worker->applied_seq, memory_order_relaxed);
	}
	s->applied_seq = applied_seq;
	s->had_waiting = !worker->inbox || msg_waiting(worker->inbox);
	s->looked_ms = time->now_ms;
}

// One frame that finds no buffer: left where it is, it would keep the mirror ready all the while.
static int lose_frame(struct control *c, const struct control_port *port)
{
	uint8_t start[PKT_L2_BYTES_MAX]; // the rest is cut off
	const int n_bytes = mirror_read(port->mirror, start, sizeof(start));

	c->stats.n_mirror_lost += n_bytes > 0;
	return n_bytes;
}

// One frame from the kernel. Returns its bytes; 0 where there is none; -errno.
static int read_frame(struct control *c, uint8_t port_idx)
{
	const struct control_port *port = &c->ports[port_idx];
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(c->pool);
	uint8_t *frame;
	int n_bytes;

	if (!mbuf)
		return lose_frame(c, port);
	frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	n_bytes = mirror_read(port->mirror, frame, rte_pktmbuf_tailroom(mbuf));
	if (n_bytes <= 0) {
		rte_pktmbuf_free(mbuf);
		return n_bytes;
	}
	if (port->vlan) {
		frame = pkt_vlan_insert(frame, port->vlan);
		mbuf->data_off -= PKT_VLAN_BYTES;
		n_bytes += PKT_VLAN_BYTES;
	}
	mbuf->data_len = (uint16_t)n_bytes;
	mbuf->pkt_len = (uint32_t)n_bytes;
	if (send_mbuf(c, c->speaker.worker_idx, port_idx, mbuf))
		c->stats.n_mirror_to_wire++;
	else
		c->stats.n_mirror_lost++;
	return n_bytes;
}

int control_mirror_read(struct control *control, uint8_t port_idx)
{
	int rc = 1;

	for (int i = 0; i < FRAMES_PER_READ && rc > 0; i++)
		rc = read_frame(control, port_idx);
	return rc < 0 ? rc : 0;
}
