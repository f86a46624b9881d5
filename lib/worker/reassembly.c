// Datagrams whose fragments come in (RFC 8656 §13, §14): put together in buffers of their own, a
// fixed number of them, for two seconds at most. Fragments that overlap end their datagram (RFC
// 5722), and no source holds more than its share.
//
// All fragments of a datagram come to one worker, for a NIC hashes them by their addresses alone.
#include "state.h"

#define SLOTS_PER_SOURCE 8
#define LIFETIME_MS 2000
#define UNIT 8 // bytes that a bit stands for
// Where UDP begins in a buffer: behind room for all headers that may come before it.
#define L4_OFFSET 192
#define IP_PAYLOAD_MAX (UINT16_MAX - L4_OFFSET - 64)

static_assert(L4_OFFSET >= PKT_HEADROOM_BYTES + PKT_L2_BYTES_MAX + PKT_IPV6_BYTES, "all headers");

static bool is_same(const struct reassembly_key *a, const struct reassembly_key *b)
{
	return a->id == b->id && memcmp(a, b, sizeof(*a)) == 0;
}

static uint8_t *l4_of(const struct reassembly_slot *slot)
{
	return (uint8_t *)slot->mbuf->buf_addr + L4_OFFSET;
}

static void slot_free(struct reassembly_slot *slot)
{
	rte_pktmbuf_free(slot->mbuf);
	slot->mbuf = NULL;
}

static void slot_fail(struct worker *w, struct reassembly_slot *slot)
{
	slot_free(slot);
	w->pub.stats.n_reassembly_failed++;
}

static bool is_old(const struct worker *w, const struct reassembly_slot *slot)
{
	return w->now_ticks - slot->begun_ticks > LIFETIME_MS * w->ticks_per_ms;
}

// What a new datagram may take: a free slot, or that of the oldest, of its own source where that
// has its share already. Old ones end here.
static struct reassembly_slot *slot_choose(struct worker *w, const struct reassembly_key *key)
{
	struct reassembly_slot *free_slot = NULL;
	struct reassembly_slot *oldest[2] = {NULL, NULL}; // of anybody, of this source
	unsigned n_own = 0;

	for (unsigned i = 0; i < WORKER_REASSEMBLY_SLOTS; i++) {
		struct reassembly_slot *slot = &w->reassembly[i];
		const bool own = slot->mbuf &&
			!memcmp(slot->key.source_ip, key->source_ip, sizeof(key->source_ip));

		if (slot->mbuf && is_old(w, slot))
			slot_fail(w, slot);
		if (!slot->mbuf) {
			free_slot = slot;
			continue;
		}
		n_own += own;
		for (unsigned k = 0; k <= own; k++)
			if (!oldest[k] || slot->begun_ticks < oldest[k]->begun_ticks)
				oldest[k] = slot;
	}
	if (n_own >= SLOTS_PER_SOURCE)
		return oldest[1];
	return free_slot ? free_slot : oldest[0];
}

static struct reassembly_slot *slot_begin(struct worker *w, const struct reassembly_key *key)
{
	struct reassembly_slot *slot = slot_choose(w, key);

	if (slot->mbuf)
		slot_fail(w, slot);
	slot->mbuf = rte_pktmbuf_alloc(w->jumbo_pool);
	if (!slot->mbuf)
		return NULL;
	slot->key = *key;
	slot->begun_ticks = w->now_ticks;
	slot->n_received = 0;
	slot->n_total = 0;
	slot->n_end = 0;
	slot->whole = (struct pkt){.l4 = l4_of(slot)};
	memset(slot->units, 0, sizeof(slot->units));
	return slot;
}

static struct reassembly_slot *slot_find(struct worker *w, const struct reassembly_key *key)
{
	for (unsigned i = 0; i < WORKER_REASSEMBLY_SLOTS; i++) {
		struct reassembly_slot *slot = &w->reassembly[i];

		if (slot->mbuf && !is_old(w, slot) && is_same(&slot->key, key))
			return slot;
	}
	return slot_begin(w, key);
}

static struct reassembly_key key_of(const struct pkt *p, uint32_t id)
{
	struct reassembly_key key = {.id = id, .family = p->family};

	memcpy(key.source_ip, pkt_source_ip(p), family_bytes(p->family));
	memcpy(key.target_ip, pkt_target_ip(p), family_bytes(p->family));
	return key;
}

// How many of the fragment's units are there already.
static unsigned units_taken(const struct reassembly_slot *slot, unsigned first, unsigned end)
{
	unsigned n = 0;

	for (unsigned unit = first; unit < end; unit++)
		n += slot->units[unit / 64] >> unit % 64 & 1;
	return n;
}

enum outcome { HELD, COMPLETE, REFUSED };

// The whole is as long as its last fragment says.
static bool fits_total(struct reassembly_slot *slot, const struct pkt_fragment *fragment)
{
	const uint32_t end = fragment->offset + fragment->n_bytes;

	if (!fragment->more && slot->n_total == 0 && slot->n_end <= end)
		slot->n_total = end;
	return slot->n_total == 0 || (fragment->more ? end <= slot->n_total : end == slot->n_total);
}

static enum outcome add(
	struct reassembly_slot *slot, const struct pkt *p, const struct pkt_fragment *fragment)
{
	const unsigned first = fragment->offset / UNIT;
	const unsigned end = (fragment->offset + fragment->n_bytes + UNIT - 1) / UNIT;
	uint8_t *place = l4_of(slot) + fragment->offset;
	const unsigned n_taken = units_taken(slot, first, end);

	// The same once more is no attack: networks repeat. Behind the last byte that came, the
	// buffer holds what was there before.
	if (n_taken == end - first && fragment->offset + fragment->n_bytes <= slot->n_end &&
		!memcmp(place, fragment->bytes, fragment->n_bytes))
		return HELD;
	if (n_taken || !fits_total(slot, fragment))
		return REFUSED;
	for (unsigned unit = first; unit < end; unit++)
		slot->units[unit / 64] |= 1ULL << unit % 64;
	memcpy(place, fragment->bytes, fragment->n_bytes);
	slot->n_received += fragment->n_bytes;
	if (slot->n_end < fragment->offset + fragment->n_bytes)
		slot->n_end = fragment->offset + fragment->n_bytes;
	if (fragment->offset == 0)
		pkt_reassemble(&slot->whole, p, 0);
	return slot->n_total && slot->n_received == slot->n_total ? COMPLETE : HELD;
}

// The datagram takes the place of its last fragment.
static void finish(struct worker *w, struct burst_item *item, struct reassembly_slot *slot)
{
	struct pkt *whole = &slot->whole;
	struct rte_mbuf *mbuf = slot->mbuf;

	pkt_reassemble(whole, whole, (uint16_t)slot->n_total);
	mbuf->data_off = (uint16_t)(whole->frame - (uint8_t *)mbuf->buf_addr);
	mbuf->data_len = (uint16_t)(whole->l4 + slot->n_total - whole->frame);
	mbuf->pkt_len = mbuf->data_len;
	slot->mbuf = NULL;
	rte_pktmbuf_free(item->mbuf);
	w->pub.stats.n_absorbed++;
	w->pub.stats.n_made++;
	w->pub.stats.n_reassembled++;
	item->mbuf = mbuf;
	item->reassembled = true;
}

bool reassemble(struct worker *w, struct burst_item *item)
{
	struct pkt_fragment fragment;
	struct reassembly_key key;
	struct reassembly_slot *slot;

	item->lane = LANE_ABSORBED;
	if (!w->jumbo_pool || !pkt_fragment_parse(&fragment, &item->pkt) ||
		fragment.offset + fragment.n_bytes > IP_PAYLOAD_MAX) {
		item_drop(item, DROP_FRAGMENT);
		return false;
	}
	key = key_of(&item->pkt, fragment.id);
	slot = slot_find(w, &key);
	if (!slot) {
		item_drop(item, DROP_FRAGMENT);
		return false;
	}
	switch (add(slot, &item->pkt, &fragment)) {
	case HELD:
		return false;
	case REFUSED:
		slot_fail(w, slot);
		item_drop(item, DROP_FRAGMENT);
		return false;
	case COMPLETE:
		break;
	}
	finish(w, item, slot);
	return true;
}

void reassembly_end(struct worker *w)
{
	for (unsigned i = 0; i < WORKER_REASSEMBLY_SLOTS; i++)
		slot_free(&w->reassembly[i]);
}
