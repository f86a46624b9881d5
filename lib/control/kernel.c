// Linux as the network stack of our addresses: frames to and from the mirror, and relayed packets
// whose neighbour it must find first.
#include "state.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define FRAMES_PER_READ 64

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

// A finished packet without an Ethernet header it could be sent with: the kernel queues it behind
// its ARP request and sends it through the mirror.
void kernel_packet(struct control *c, const struct msg *msg)
{
	struct rte_mbuf *mbuf = msg->mbuf;
	const uint16_t vlan = c->ports[msg->port_idx].vlan;
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct pkt p;

	if (c->kernel_fd >= 0 &&
		pkt_parse(&p, rte_pktmbuf_mtod(mbuf, uint8_t *), mbuf->data_len, vlan) == PKT_UDP &&
		p.family == FAMILY_IPV4) {
		to.sin_addr.s_addr = load_u32(pkt_target_ip(&p));
		if (sendto(c->kernel_fd, p.l3, (size_t)(p.payload + p.payload_bytes - p.l3),
			    MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to)) >= 0) {
			c->stats.n_kernel_sent++;
			rte_pktmbuf_free(mbuf);
			return;
		}
	}
	c->stats.n_kernel_lost++;
	rte_pktmbuf_free(mbuf);
}

// One frame from the kernel. False where there is none.
static bool read_frame(struct control *c, uint8_t port_idx)
{
	const struct control_port *port = &c->ports[port_idx];
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(c->pool);
	uint8_t *frame;
	int n_bytes;

	if (!mbuf) {
		c->stats.n_mirror_lost++;
		return false;
	}
	frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	n_bytes = mirror_read(port->mirror, frame, rte_pktmbuf_tailroom(mbuf));
	if (n_bytes <= 0) {
		rte_pktmbuf_free(mbuf);
		return false;
	}
	if (port->vlan) {
		frame = pkt_vlan_insert(frame, port->vlan);
		mbuf->data_off -= PKT_VLAN_BYTES;
		n_bytes += PKT_VLAN_BYTES;
	}
	mbuf->data_len = (uint16_t)n_bytes;
	mbuf->pkt_len = (uint32_t)n_bytes;
	if (send_mbuf(c, 0, port_idx, mbuf))
		c->stats.n_mirror_to_wire++;
	else
		c->stats.n_mirror_lost++;
	return true;
}

void control_mirror_read(struct control *control, uint8_t port_idx)
{
	for (int i = 0; i < FRAMES_PER_READ; i++)
		if (!read_frame(control, port_idx))
			return;
}
