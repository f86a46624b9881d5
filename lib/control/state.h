// The state of the control core. Private to lib/control.
#ifndef CONTROL_STATE_H
#define CONTROL_STATE_H

#include "control.h"
#include "pkt/pkt.h"

#include <rte_mbuf.h>

#define WORKERS_MAX 64
// One effect is an entry and, the first time, the hops it uses; it may replace one elsewhere.
#define MESSAGES_PER_EFFECT 4
#define OUTBOX_MESSAGES 64

// Members of one size, first in and first out. Zeroed it is empty.
struct ring {
	void *members;
	size_t first;
	size_t n;
	size_t capacity;
};

// A relayed address whose removals are on their way to the workers.
struct cooling {
	uint64_t seq; // of the last of them
	struct endpoint relayed;
};

// A request, and since when it waits for its user.
struct parked {
	struct rte_mbuf *mbuf;
	uint64_t punted_ticks;
	uint64_t since_ms;
	uint16_t worker_idx;
	uint8_t port_idx;
};

// A peer of a tally, or a free place for one.
struct tally_peer {
	struct control_peer peer;
	uint32_t next; // of the same tally, or of the free ones; 0 is none
};

// Sums up what an allocation's flows have carried, from when the first of them ends.
struct tally {
	struct control_traffic sum;
	uint32_t first_peer; // 0: none
	uint16_t n_peers;
	bool more_peers;
	uint32_t next_free;
};

// An allocation that has ended: its tally is complete when every worker has applied `seq`.
struct tally_end {
	uint64_t seq;
	uint64_t id;
	uint32_t tally_idx; // 0: none of its flows carried anything
	uint32_t observed_idx; // 0: it was not observed
};

// A question about a living one. What ended before it was asked is on its way to the allocation's
// own tally, and counts here too.
struct tally_ask {
	uint64_t first_seq;
	uint64_t last_seq;
	uint64_t id;
	uint32_t own_idx; // the allocation's, or 0
	uint32_t tally_idx;
	uint32_t observed_idx;
	struct control_tally_taker taker;
};

// What was seen of an allocation, or a free place.
struct observed {
	struct quality quality;
	uint64_t id; // of the allocation; 0: the place is free
	uint32_t allocation_idx;
	uint64_t begun_seq; // what was seen before is of another
	uint32_t n_gaps; // of all workers, when it was last told
	uint32_t next_free;
};

struct observers {
	struct observed *places; // [0] is none
	uint32_t n_places;
	uint32_t capacity;
	uint32_t free_place;
	uint32_t *of_allocations; // by allocation_idx
	uint32_t n_allocations;
	uint32_t percent;
	uint32_t numbers[WORKERS_MAX]; // of what each worker shows next
	uint32_t n_gaps;
	struct quality_spreads spreads; // of those that have ended
};

// Places that grow: an index stays good, a pointer only until the next one is taken.
struct tallies {
	struct tally *tallies; // [0] is none
	uint32_t n_tallies;
	uint32_t tallies_capacity;
	uint32_t free_tally;
	struct tally_peer *peers; // [0] is none
	uint32_t n_peers;
	uint32_t peers_capacity;
	uint32_t free_peer;
	uint32_t *of_allocations; // by allocation_idx
	uint32_t n_allocations;
	struct ring ends; // of struct tally_end
	struct tally_ask asks[CONTROL_ASKS_MAX];
	unsigned n_asks;
	struct control_tally_taker ended;
};

// Which addresses Linux has, and what the workers have been told of it.
struct addresses {
	size_t n; // of those to be told, and of what has been told: the rest is of no family
	size_t next; // of them to be looked at; all before it have been told
	struct route_address now[ROUTE_ADDRESSES_MAX];
	struct route_address told[ROUTE_ADDRESSES_MAX];
};

// The worker that sends Linux's frames, and how it stood when it was last looked at.
struct speaker {
	size_t worker_idx;
	uint64_t looked_ms;
	uint64_t applied_seq;
	bool had_waiting; // messages that it had not applied
};

struct control {
	struct turn *turn;
	struct route *route;
	struct rte_mempool *pool;
	int kernel_fd;
	int kernel6_fd;
	size_t n_ports;
	size_t n_workers;
	size_t n_relays;
	struct control_port ports[CONTROL_PORTS_MAX];
	struct control_worker workers[WORKERS_MAX];
	struct control_relay *relays;

	struct heartbeat *heartbeat;

	struct budget challenges;
	struct control_answers answers;
	struct control_witness witness;

	uint64_t seq;
	uint16_t next_ip_id;
	uint32_t n_flows; // room in each worker's table
	uint32_t n_entries; // in it, or on their way
	// By allocation_idx: of the last entry that was sent of its last hand-over (RFC 8016).
	uint64_t *moving_seqs;
	uint32_t n_moving_seqs;
	uint64_t expired_ms; // when turn_expire() last found nothing more due
	uint64_t checked_ms;
	bool expiring; // it has more to do
	bool walking; // entries are being sent again: routes moved, or hops are short
	bool walks_again; // and once more after that: routes moved behind it
	uint32_t walk_cursor;
	bool marking; // that walk, and the end of the hops that are not
	uint64_t marked_ms; // when it began
	bool sweeping; // peers are being judged anew
	bool sweeps_again; // and once more after that
	uint32_t sweep_cursor;

	struct ring cooling; // of struct cooling

	// What all workers are to be told, together: a look at a ring that another CPU writes costs
	// more than a message.
	struct msg outbox[OUTBOX_MESSAGES];
	unsigned n_outbox;

	struct parked parked[CONTROL_PARKED_MAX]; // oldest first
	unsigned n_parked;
	bool users_answered; // some of them may go on

	struct tallies tallies;
	struct observers observers;
	struct turn_effects effects;
	struct turn_effect effect_items[TURN_EFFECTS_MAX];
	bool hop_published[ROUTE_HOPS_MAX];
	struct addresses addresses;
	struct speaker speaker;
	struct control_stats stats;
};

// For strangers' answers. Returns 0; -ENOMEM.
int control_create_budget(struct budget *out, const struct control_answers *answers);

// Messages that every worker has room for.
unsigned broadcast_room(const struct control *c);
// To all workers, with the next outbox_send(); there must be room.
void broadcast(struct control *c, struct msg *msg);
void outbox_send(struct control *c);
// To one worker, behind what was broadcast; the mbuf is freed where it has no room.
bool send_mbuf(struct control *c, size_t worker_idx, uint8_t port_idx, struct rte_mbuf *mbuf);

// Entries and next hops from c->effects, in order; empties it.
void effects_apply(struct control *c);
// Ask the workers what these entries have counted, for that tally; empties it.
void effects_ask(struct control *c, uint32_t tally_idx);
// Make room in c->effects for what the workers can take now.
void effects_begin(struct control *c);

// Send every entry again, from the first on.
void walk_begin(struct control *c);

uint16_t hop_towards(struct control *c, const struct ip_addr *target, const struct ip_addr *source);
void hops_publish_loops(struct control *c);
void hops_publish_changes(struct control *c);
// Begin to look for hops that nothing uses, where it is time to.
void hops_mark(struct control *c, const struct turn_time *time);
// End a share of them. Only when every entry was sent again since hops_mark().
void hops_forget(struct control *c);

// A share of it, by what room the workers have.
void addresses_publish(struct control *c);

void cooling_add(struct control *c, const struct endpoint *relayed);
void cooling_release(struct control *c);
// The last message that all workers have applied, but for those that are left out.
uint64_t applied_by_all(const struct control *c);

// Room for index `n` in an array of such members. Returns it, or NULL, and the array is as it was.
void *array_grow(void *array, uint32_t *capacity, uint32_t n, size_t member_bytes);
// A copy becomes the newest. False without memory.
bool ring_add(struct ring *ring, const void *member, size_t member_bytes);
void *ring_oldest(const struct ring *ring, size_t member_bytes); // NULL: it is empty
void ring_remove(struct ring *ring); // the oldest
void ring_fini(struct ring *ring);

// Whether an allocation is observed, from its first channel to its end; 0 or its place.
uint32_t observed_begin(struct control *c, uint32_t allocation_idx, uint64_t id);
uint32_t observed_of(const struct control *c, uint32_t allocation_idx, uint64_t id);
// Nothing of it is wanted any more; until then what is still shown counts. 0 is fine.
void observed_give(struct control *c, uint32_t observed_idx);
// NULL where it is not there any more.
const struct quality *observed_find(const struct control *c, uint32_t observed_idx, uint64_t id);
// Take what the workers show. Returns how much that was.
unsigned observed_poll(struct control *c);
void observed_fini(struct control *c);

// The tally of an allocation, begun where there is none yet; 0 where it is not to be had.
uint32_t tally_of(struct control *c, uint32_t allocation_idx);
// The allocation has ended; what its flows have counted is on its way.
void tally_end(struct control *c, uint32_t allocation_idx, uint64_t id);
// Take what workers have counted, and hand on what is complete. Returns how much was taken.
unsigned tallies_poll(struct control *c);
void tallies_fini(struct control *c);

// A bounded share of judging peers anew.
void sweep(struct control *c);

// Tell the witness, if there is one.
void tell_unanswered(
	const struct control *c, const struct endpoint *client, enum control_silence why);
// False where its user is being asked for: the packet stays the caller's.
bool transact_request(struct control *c, const struct turn_time *time, const struct parked *parked);
void transact(
	struct control *c, const struct turn_time *time, size_t worker_idx, const struct msg *msg);

void parked_add(struct control *c, const struct parked *request);
// How many went on.
unsigned parked_poll(struct control *c, const struct turn_time *time);
void parked_fini(struct control *c);

// Another worker speaks for Linux where that one stands still.
void speaker_look(struct control *c, const struct turn_time *time);
void mirror_frame(struct control *c, const struct msg *msg);
void kernel_packet(struct control *c, const struct msg *msg);

#endif
