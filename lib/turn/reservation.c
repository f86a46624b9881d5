// EVEN-PORT's second port, held for a later Allocate with its RESERVATION-TOKEN (RFC 8656 §7.2).
#include "turn/state.h"

#include <openssl/crypto.h>

#define RESERVATION_LIFETIME_MS (30 * MS_IN_S) // RFC 8656 §7.2: at least 30 seconds

static uint32_t token_idx(const uint8_t *token)
{
	return (uint32_t)token[0] << 16 | (uint32_t)token[1] << 8 | token[2];
}

void reservation_make(struct turn *turn, uint32_t allocation_idx, uint64_t now_ms)
{
	struct allocation *allocation = allocation_at(turn, allocation_idx);
	const uint32_t idx = pool_take(&turn->reservations);
	struct reservation *reservation = reservation_at(turn, idx);

	reservation->relayed = allocation->relayed;
	reservation->relayed.port++;
	reservation->identity = identity_share(allocation->identity);
	reservation->allocation_idx = allocation_idx;
	entropy_fill(&turn->entropy, reservation->token, TOKEN_BYTES);
	reservation->token[0] = (uint8_t)(idx >> 16);
	reservation->token[1] = (uint8_t)(idx >> 8);
	reservation->token[2] = (uint8_t)idx;
	allocation->reservation_idx = idx;
	wheel_add(&turn->wheel, timer_id(TIMER_RESERVATION, idx), now_ms + RESERVATION_LIFETIME_MS);
}

uint32_t reservation_find(const struct call *call, const struct stun_attr *token)
{
	const struct turn *turn = call->turn;
	const uint32_t idx = token_idx(token->value);
	const struct reservation *reservation;

	if (idx == 0 || idx > turn->reservations.n_touched)
		return 0;
	reservation = reservation_at(turn, idx);
	if (!reservation->identity ||
		CRYPTO_memcmp(reservation->token, token->value, TOKEN_BYTES) != 0 ||
		!caller_is(call, reservation->identity))
		return 0;
	return idx;
}

static void count_widowed(struct identity *identity, int n)
{
	identity->account->n_widowed += (uint32_t)n;
	identity->realm->n_widowed += (uint32_t)n;
}

void reservation_widow(struct turn *turn, uint32_t idx)
{
	struct reservation *reservation = reservation_at(turn, idx);

	reservation->allocation_idx = 0;
	count_widowed(reservation->identity, 1);
}

void reservation_end(struct turn *turn, uint32_t idx)
{
	struct reservation *reservation = reservation_at(turn, idx);

	if (reservation->allocation_idx)
		allocation_at(turn, reservation->allocation_idx)->reservation_idx = 0;
	else
		count_widowed(reservation->identity, -1);
	wheel_remove(&turn->wheel, timer_id(TIMER_RESERVATION, idx));
	users_drop(&turn->users, reservation->identity);
	reservation->identity = NULL;
	pool_give(&turn->reservations, idx);
}

// No worker has ever heard of the port: it needs no cooling.
void reservation_expire(struct turn *turn, uint32_t idx)
{
	ports_free_reserved(&turn->ports, &reservation_at(turn, idx)->relayed);
	reservation_end(turn, idx);
}
