#include "trace.h"

#define READS_MAX 4
#define KEY_WORDS (sizeof(struct trace_key) / sizeof(uint64_t))

static struct bucket_rate rate_of(uint32_t per_s, uint32_t at_once, uint64_t ticks_per_ms)
{
	return bucket_rate_of(per_s, at_once * (uint32_t)MS_IN_S / per_s, ticks_per_ms * MS_IN_S);
}

void trace_init(struct trace *trace, uint64_t ticks_per_ms, uint64_t seed)
{
	trace->rate = rate_of(TRACE_NEW_PER_S, TRACE_NEW_AT_ONCE, ticks_per_ms);
	trace->source_rate =
		rate_of(TRACE_SOURCE_NEW_PER_S, TRACE_SOURCE_NEW_AT_ONCE, ticks_per_ms);
	trace->pause_ticks = TRACE_PAUSE_MS * ticks_per_ms;
	trace->seed = (seed ^ 0x94d049bb133111ebULL) * 0xbf58476d1ce4e5b9ULL; // no small one
}

static struct endpoint end_of(uint8_t family, const uint8_t *ip, uint16_t port_be)
{
	return (struct endpoint){
		.ip = ip_from_bytes((enum family)family, ip),
		.port = __builtin_bswap16(port_be),
	};
}

struct endpoint trace_key_from(const struct trace_key *key)
{
	return end_of(key->family, key->from_ip, key->from_port_be);
}

struct endpoint trace_key_to(const struct trace_key *key)
{
	return end_of(key->family, key->to_ip, key->to_port_be);
}

struct endpoint trace_key_about(const struct trace_key *key)
{
	return end_of(key->about_family, key->about_ip, key->about_port_be);
}

static uint64_t word_of(const struct trace_key *key, size_t idx)
{
	return load_u64((const uint8_t *)key + idx * sizeof(uint64_t));
}

static uint64_t fold(uint64_t a, uint64_t b)
{
	const unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// Words by twos, each pair to the product of 128 bits, folded.
static struct trace_place *set_of(
	struct trace *trace, enum drop reason, const struct trace_key *key)
{
	uint64_t z = trace->seed;

	for (size_t i = 0; i < KEY_WORDS; i += 2)
		z = fold(word_of(key, i) ^ trace->seed, word_of(key, i + 1) ^ z);
	return &trace->reasons[reason].places[z % TRACE_SETS * TRACE_WAYS];
}

static bool is_same(const struct trace_key *a, const struct trace_key *b)
{
	uint64_t differs = 0;

	for (size_t i = 0; i < KEY_WORDS; i++)
		differs |= word_of(a, i) ^ word_of(b, i);
	return differs == 0;
}

// A run that goes on, or NULL.
static struct trace_place *find(const struct trace *trace, struct trace_place *set,
	const struct trace_key *key, uint64_t now_ticks)
{
	for (struct trace_place *place = set; place < set + TRACE_WAYS; place++)
		if (place->n && now_ticks - place->last_ticks <= trace->pause_ticks &&
			is_same(&place->key, key))
			return place;
	return NULL;
}

// A free place has no last packet.
static struct trace_place *find_oldest(struct trace_place *set)
{
	struct trace_place *oldest = set;

	for (struct trace_place *place = set + 1; place < set + TRACE_WAYS; place++)
		if (place->last_ticks < oldest->last_ticks)
			oldest = place;
	return oldest;
}

// The source's part first: one that has had its own takes nothing from the others.
static bool may_begin(struct trace *trace, struct trace_reason *own, const struct trace_key *key,
	uint64_t now_ticks)
{
	const uint64_t source = load_u64(key->out ? key->to_ip : key->from_ip);
	const uint64_t hash = fold(source ^ trace->seed, ~trace->seed);

	return bucket_take(&own->new_runs_of[hash % TRACE_SOURCES], &trace->source_rate, now_ticks,
		       1) &&
		bucket_take(&own->new_runs, &trace->rate, now_ticks, 1);
}

static void store(uint64_t *to, uint64_t value)
{
	__atomic_store_n(to, value, __ATOMIC_RELAXED);
}

static uint64_t load(const uint64_t *from)
{
	return __atomic_load_n(from, __ATOMIC_RELAXED);
}

static void lose(struct trace_loss *loss, uint64_t n, uint64_t last_ticks)
{
	store(&loss->n, loss->n + n);
	if (last_ticks > loss->last_ticks)
		store(&loss->last_ticks, last_ticks);
}

static void move_in(struct trace_place *place, const struct trace_key *key, uint64_t now_ticks)
{
	const uint32_t version = atomic_load_explicit(&place->version, memory_order_relaxed);

	atomic_store_explicit(&place->version, version + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	place->key = *key;
	store(&place->n, 1);
	store(&place->first_ticks, now_ticks);
	store(&place->last_ticks, now_ticks);
	atomic_store_explicit(&place->version, version + 2, memory_order_release);
}

void trace_note(
	struct trace *trace, enum drop reason, const struct trace_key *key, uint64_t now_ticks)
{
	struct trace_reason *own = &trace->reasons[reason];
	struct trace_place *set = set_of(trace, reason, key);
	struct trace_place *place = find(trace, set, key, now_ticks);

	if (place) {
		store(&place->n, place->n + 1);
		store(&place->last_ticks, now_ticks);
	} else if (may_begin(trace, own, key, now_ticks)) {
		place = find_oldest(set);
		lose(&own->loss, place->n, place->last_ticks);
		move_in(place, key, now_ticks);
	} else {
		lose(&own->loss, 1, now_ticks);
	}
}

bool trace_read(const struct trace *trace, uint32_t idx, struct trace_run *out)
{
	const enum drop reason = (enum drop)(idx / TRACE_RUNS_OF_REASON);
	const struct trace_place *place =
		&trace->reasons[reason].places[idx % TRACE_RUNS_OF_REASON];

	for (int i = 0; i < READS_MAX; i++) {
		const uint32_t version =
			atomic_load_explicit(&place->version, memory_order_acquire);

		if (version == 0)
			return false;
		*out = (struct trace_run){place->key, reason, load(&place->n),
			load(&place->first_ticks), load(&place->last_ticks)};
		atomic_thread_fence(memory_order_acquire);
		if (version % 2 == 0 &&
			version == atomic_load_explicit(&place->version, memory_order_relaxed))
			return true;
	}
	return false;
}

void trace_loss_get(const struct trace *trace, enum drop reason, struct trace_loss *out)
{
	*out = (struct trace_loss){load(&trace->reasons[reason].loss.n),
		load(&trace->reasons[reason].loss.last_ticks)};
}
