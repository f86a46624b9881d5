#include "hops.h"

#include "hash.h"

void hops_init(struct hops *hops)
{
	random_secret(&hops->seed, sizeof(hops->seed));
	hops->n_hops = 1;
}

// The slot of this neighbour, or the free one where it belongs. Half of the slots are always free.
static size_t find_slot(const struct hops *hops, const struct next_hop *next_hop)
{
	uint64_t i = hash_ip(hops->seed, &next_hop->ip) + (uint64_t)next_hop->ifindex;

	for (;; i++) {
		const uint16_t hop_idx = hops->slots[i % HOPS_SLOTS];
		const struct next_hop *other = &hops->next_hops[hop_idx];

		if (hop_idx == 0)
			return i % HOPS_SLOTS;
		if (other->ifindex == next_hop->ifindex && other->family == next_hop->family &&
			ip_equal(&other->ip, &next_hop->ip))
			return i % HOPS_SLOTS;
	}
}

uint16_t hops_find(const struct hops *hops, const struct next_hop *next_hop)
{
	return hops->slots[find_slot(hops, next_hop)];
}

static void note_change(struct hops *hops, uint16_t hop_idx)
{
	if (hops->is_changed[hop_idx])
		return;
	hops->is_changed[hop_idx] = true;
	hops->changed[(hops->first_changed + hops->n_changed) % ROUTE_HOPS_MAX] = hop_idx;
	hops->n_changed++;
}

uint16_t hops_add(struct hops *hops, const struct next_hop *next_hop, uint8_t port_idx)
{
	uint16_t hop_idx;

	if (hops->n_free)
		hop_idx = hops->free[--hops->n_free];
	else if (hops->n_hops < ROUTE_HOPS_MAX)
		hop_idx = hops->n_hops++;
	else
		return HOP_IDX_UNREACHABLE;
	hops->slots[find_slot(hops, next_hop)] = hop_idx;
	hops->next_hops[hop_idx] = *next_hop;
	hops->hops[hop_idx] = (struct hop){
		.state = HOP_UNRESOLVED, .port_idx = port_idx, .family = next_hop->family};
	note_change(hops, hop_idx);
	return hop_idx;
}

void hops_set(struct hops *hops, uint16_t hop_idx, enum hop_state state, const uint8_t mac[6])
{
	struct hop *hop = &hops->hops[hop_idx];
	struct hop next = {
		.state = (uint8_t)state, .port_idx = hop->port_idx, .family = hop->family};

	if (state == HOP_RESOLVED)
		memcpy(next.mac, mac, sizeof(next.mac));
	if (memcmp(hop, &next, sizeof(next)) == 0)
		return;
	*hop = next;
	note_change(hops, hop_idx);
}

// What comes behind a slot may have had to pass it by, and is put where it belongs now.
void hops_remove(struct hops *hops, uint16_t hop_idx)
{
	size_t slot = find_slot(hops, &hops->next_hops[hop_idx]);
	uint16_t next;

	hops->slots[slot] = 0;
	while (slot = (slot + 1) % HOPS_SLOTS, (next = hops->slots[slot]) != 0) {
		hops->slots[slot] = 0;
		hops->slots[find_slot(hops, &hops->next_hops[next])] = next;
	}
	hops->next_hops[hop_idx] = (struct next_hop){0};
	hops->hops[hop_idx] = (struct hop){.state = HOP_UNREACHABLE};
	hops->is_kept[hop_idx] = false;
	hops->free[hops->n_free++] = hop_idx;
}

bool hops_next_change(struct hops *hops, uint16_t *hop_idx)
{
	if (hops->n_changed == 0)
		return false;
	*hop_idx = hops->changed[hops->first_changed];
	hops->is_changed[*hop_idx] = false;
	hops->first_changed = (uint16_t)((hops->first_changed + 1) % ROUTE_HOPS_MAX);
	hops->n_changed--;
	return true;
}
