#include "turn/wheel.h"

#include "base/base.h"

static struct timer *timer_at(const struct wheel *wheel, uint32_t id)
{
	return pool_at(wheel->pools[timer_kind(id)], timer_idx(id));
}

// The first whole second at which it has expired.
static uint64_t due_s(const struct timer *timer)
{
	return timer->expires_ms / MS_IN_S + (timer->expires_ms % MS_IN_S != 0);
}

void wheel_add(struct wheel *wheel, uint32_t id, uint64_t expires_ms)
{
	struct timer *timer = timer_at(wheel, id);
	uint64_t second;
	uint32_t slot;

	timer->expires_ms = expires_ms;
	second = due_s(timer);
	if (second < wheel->next_s)
		second = wheel->next_s;
	slot = second % WHEEL_SLOTS;
	timer->prev = timer_id(TIMER_SLOT, slot);
	timer->next = wheel->heads[slot];
	if (timer->next)
		timer_at(wheel, timer->next)->prev = id;
	wheel->heads[slot] = id;
	if (slot == wheel->next_s % WHEEL_SLOTS)
		wheel->cursor = id;
}

void wheel_remove(struct wheel *wheel, uint32_t id)
{
	struct timer *timer = timer_at(wheel, id);

	if (timer_kind(timer->prev) == TIMER_SLOT)
		wheel->heads[timer->prev] = timer->next;
	else
		timer_at(wheel, timer->prev)->next = timer->next;
	if (timer->next)
		timer_at(wheel, timer->next)->prev = timer->prev;
	if (wheel->cursor == id)
		wheel->cursor = timer->next;
}

static void begin_second(struct wheel *wheel, uint64_t second)
{
	wheel->next_s = second;
	wheel->cursor = wheel->heads[second % WHEEL_SLOTS];
}

uint32_t wheel_due(struct wheel *wheel, uint64_t now_ms)
{
	const uint64_t now_s = now_ms / MS_IN_S;

	// After a long pause one round sees every slot.
	if (now_s >= wheel->next_s + WHEEL_SLOTS)
		begin_second(wheel, now_s - WHEEL_SLOTS + 1);
	while (wheel->next_s <= now_s) {
		while (wheel->cursor) {
			const struct timer *timer = timer_at(wheel, wheel->cursor);

			if (due_s(timer) <= now_s)
				return wheel->cursor;
			wheel->cursor = timer->next;
		}
		begin_second(wheel, wheel->next_s + 1);
	}
	return 0;
}

int64_t wheel_count(const struct wheel *wheel)
{
	int64_t n = 0;

	for (uint32_t slot = 0; slot < WHEEL_SLOTS; slot++) {
		uint32_t prev = timer_id(TIMER_SLOT, slot);

		for (uint32_t id = wheel->heads[slot]; id; n++) {
			const struct timer *timer = timer_at(wheel, id);

			if (timer->prev != prev)
				return -1;
			prev = id;
			id = timer->next;
		}
	}
	return n;
}
