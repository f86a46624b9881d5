#include "msg.h"

#include <errno.h>
#include <rte_ring.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct msg msg_flow_insert(const struct flow_spec *spec)
{
	if (flow_spec_is_ipv4(spec))
		return (struct msg){.kind = MSG_FLOW4_INSERT, .flow4 = flow4_entry_make(spec)};
	return (struct msg){.kind = MSG_FLOW6_INSERT, .flow6 = flow6_entry_make(spec)};
}

struct msg msg_flow_remove(const struct flow_spec *spec, uint32_t tally_idx)
{
	struct msg msg = msg_flow_count(spec, tally_idx);

	msg.kind = msg.kind == MSG_FLOW4_COUNT ? MSG_FLOW4_REMOVE : MSG_FLOW6_REMOVE;
	return msg;
}

struct msg msg_flow_count(const struct flow_spec *spec, uint32_t tally_idx)
{
	struct msg msg = {.tally_idx = tally_idx};

	if (flow_spec_is_ipv4(spec)) {
		msg.kind = MSG_FLOW4_COUNT;
		msg.flow4_key = flow4_key_make(spec);
	} else {
		msg.kind = MSG_FLOW6_COUNT;
		msg.flow6_key = flow6_key_make(spec);
	}
	return msg;
}

// The ring lies in our own memory, on the consumer's node, so that it works before and without the
// EAL.
int msg_channel_create(struct msg_channel *channel, unsigned n_messages, int numa_node)
{
	const unsigned n_slots = (unsigned)next_power_of_two(n_messages + 1UL);
	const ssize_t n_bytes = rte_ring_get_memsize_elem(sizeof(struct msg), n_slots);
	int rc;

	*channel = (struct msg_channel){0};
	if (n_bytes < 0)
		return -ENOMEM;
	rc = pages_map(&channel->pages, (size_t)n_bytes, numa_node, false);
	if (rc)
		return rc;
	channel->ring = channel->pages.base;
	return rte_ring_init(channel->ring, "msg", n_slots, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

void msg_channel_destroy(struct msg_channel *channel)
{
	pages_unmap(&channel->pages);
	channel->ring = NULL;
}

unsigned msg_send_burst(struct msg_channel *channel, const struct msg *messages, unsigned n)
{
	return rte_ring_sp_enqueue_bulk_elem(channel->ring, messages, sizeof(*messages), n, NULL);
}

unsigned msg_room(const struct msg_channel *channel)
{
	return rte_ring_free_count(channel->ring);
}

unsigned msg_receive_burst(struct msg_channel *channel, struct msg *messages, unsigned n)
{
	return rte_ring_sc_dequeue_burst_elem(channel->ring, messages, sizeof(*messages), n, NULL);
}

bool msg_waiting(const struct msg_channel *channel)
{
	return !rte_ring_empty(channel->ring);
}

int doorbell_open(struct doorbell *doorbell)
{
	atomic_init(&doorbell->asleep, false);
	doorbell->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return doorbell->fd < 0 ? -errno : 0;
}

void doorbell_close(struct doorbell *doorbell)
{
	if (doorbell->fd >= 0)
		close(doorbell->fd);
	doorbell->fd = -1;
}

// The fence pairs with the one in doorbell_announce(): either we see `asleep`, or the consumer sees
// the message.
void doorbell_ring(struct doorbell *doorbell)
{
	const uint64_t one = 1;

	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&doorbell->asleep, memory_order_relaxed))
		return;
	atomic_store_explicit(&doorbell->asleep, false, memory_order_relaxed);
	if (write(doorbell->fd, &one, sizeof(one)) < 0)
		return; // the counter is full: the bell rings already
}

void doorbell_announce(struct doorbell *doorbell)
{
	atomic_store_explicit(&doorbell->asleep, true, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

void doorbell_awake(struct doorbell *doorbell)
{
	uint64_t n_rings;

	atomic_store_explicit(&doorbell->asleep, false, memory_order_relaxed);
	if (read(doorbell->fd, &n_rings, sizeof(n_rings)) < 0)
		return; // nobody rang
}
