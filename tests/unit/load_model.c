#include "load_model.h"

#include "app/turnpike-load/profile.h"

#include <stdlib.h>

#define START_NS (5 * (int64_t)NS_IN_S)
#define RELAY_PORT 50000
#define FLOOD_BYTES 160

static const char realm[] = "model";
static const char nonce[] = "once";
static const struct endpoint server = {{FAMILY_IPV4, {192, 0, 2, 1}}, 3478};
static const struct prefix relays[] = {
	{{FAMILY_IPV4, {192, 0, 2, 0}}, 24}, {{FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8}}, 32}};
static const struct ip_addr relayed_ipv6 = {FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8, [15] = 9}};
// By whether they are of IPv6.
static const struct endpoint peers[2][MODEL_PEERS] = {
	{
		{{FAMILY_IPV4, {198, 51, 100, 1}}, 20000},
		{{FAMILY_IPV4, {198, 51, 100, 1}}, 20001},
	},
	{
		{{FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8, [15] = 1}}, 20000},
		{{FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8, [15] = 1}}, 20001},
	},
};

static void must(bool condition)
{
	if (!condition)
		abort();
}

// Queue a datagram for a slot, in the order of arrival.
static struct model_packet *queue_put(
	struct model *model, uint32_t slot, const struct endpoint *from, int64_t arrival_ns)
{
	size_t i = model->n_queue++;

	must(model->n_queue <= MODEL_QUEUE_MAX);
	for (; i > 0 && model->queue[i - 1].arrival_ns > arrival_ns; i--)
		model->queue[i] = model->queue[i - 1];
	model->queue[i] = (struct model_packet){
		.arrival_ns = arrival_ns,
		.datagram = {.slot = slot, .remote = *from},
	};
	return &model->queue[i];
}

static void put_result(struct model *model, const struct stun_view *request, uint32_t client,
	struct stun_writer *w)
{
	static const struct stun_key forged;
	struct endpoint relayed = model->relayed;

	relayed.port = (uint16_t)(relayed.port + client);
	if (request->method == STUN_ALLOCATE)
		stun_put_xor_address(w, STUN_ATTR_XOR_RELAYED_ADDRESS, &relayed);
	if (request->method == STUN_ALLOCATE || request->method == STUN_REFRESH)
		stun_put_u32(w, STUN_ATTR_LIFETIME, model->lifetime_s);
	stun_put_integrity(w, model->mac, model->lie == LIE_INTEGRITY ? &forged : &model->key);
}

// RFC 8656 §7.2: of IPv4 where nothing is said. All calls say the same.
static void take_family(struct model *model, const struct stun_view *request)
{
	const struct stun_attr *attr = stun_find(request, STUN_ATTR_REQUESTED_ADDRESS_FAMILY);

	if (attr && attr->n_bytes == 4 && attr->value[0] == FAMILY_IPV6 && !model->knows_no_family)
		model->relayed.ip = relayed_ipv6;
}

static enum stun_code judge(struct model *model, const struct stun_view *request)
{
	if (request->method == STUN_BINDING)
		return STUN_CODE_NONE;
	if (!stun_integrity_check(model->mac, request, &model->key))
		return STUN_UNAUTHENTICATED;
	if (model->n_stale) {
		model->n_stale--;
		return STUN_STALE_NONCE;
	}
	return request->method == STUN_ALLOCATE ? model->allocate_code : STUN_CODE_NONE;
}

static void answer(struct model *model, const struct stun_view *request, uint32_t client)
{
	const enum stun_code code = judge(model, request);
	const bool astray = model->lie == LIE_RECEIVER;
	struct endpoint from = server;
	uint8_t id[STUN_TRANSACTION_BYTES];
	struct model_packet *packet;
	struct stun_writer w;

	from.port += model->lie == LIE_SOURCE;
	memcpy(id, request->transaction_id, sizeof(id));
	id[0] ^= model->lie == LIE_TRANSACTION;
	packet = queue_put(
		model, (client + astray) % MODEL_CALLS, &from, model->now_ns + MODEL_DELAY_NS);
	stun_writer_init(&w, packet->bytes, MODEL_BYTES, code ? STUN_ERROR : STUN_SUCCESS,
		request->method, id);
	if (code) {
		stun_put_error(&w, code, false);
		stun_put_bytes(&w, STUN_ATTR_REALM, realm, sizeof(realm) - 1);
		stun_put_bytes(&w, STUN_ATTR_NONCE, nonce, sizeof(nonce) - 1);
	} else {
		put_result(model, request, client, &w);
	}
	packet->datagram.n_bytes = (uint16_t)stun_writer_end(&w);
}

// | channel | length | data |, or a Data indication. Channels count up with the clients.
static void put_front(
	struct model *model, struct model_packet *packet, const struct datagram *media, bool wrong)
{
	const uint32_t client = packet->datagram.slot;
	static const uint8_t id[STUN_TRANSACTION_BYTES];
	struct stun_writer w;

	if (!model->kind.indications) {
		store_be16(packet->bytes, (uint16_t)(STUN_CHANNEL_MIN + client + wrong));
		store_be16(packet->bytes + 2, media->n_bytes);
		memcpy(packet->bytes + STUN_CHANNEL_HEADER_BYTES, media->bytes, media->n_bytes);
		packet->datagram.n_bytes = media->n_bytes + STUN_CHANNEL_HEADER_BYTES;
		return;
	}
	stun_writer_init(&w, packet->bytes, MODEL_BYTES, STUN_INDICATION, STUN_DATA, id);
	stun_put_xor_address(&w, STUN_ATTR_XOR_PEER_ADDRESS,
		&peers[model->kind.ipv6_peers][(client + wrong) % MODEL_PEERS]);
	stun_put_bytes(&w, STUN_ATTR_DATA, media->bytes, media->n_bytes);
	packet->datagram.n_bytes = (uint16_t)stun_writer_end(&w);
}

static void put_media(struct model *model, struct model_packet *packet,
	const struct datagram *media, const struct model_fault *fault)
{
	if (packet->datagram.slot < MODEL_CALLS) {
		put_front(model, packet, media, fault->kind == FAULT_WRONG_FRONT);
	} else {
		memcpy(packet->bytes, media->bytes, media->n_bytes);
		packet->datagram.n_bytes = media->n_bytes;
	}
	packet->datagram.n_bytes -= fault->kind == FAULT_CUT;
}

static void take_all(struct wire *wire, struct datagram *datagrams, size_t n)
{
	(void)wire;
	for (size_t i = 0; i < n; i++)
		datagrams[i].sent = true;
}

// What befalls the next packet of a direction.
static struct model_fault next_fault(struct model *model, enum direction direction)
{
	const struct model_fault none = {.kind = FAULT_NONE};
	const bool befalls = ++model->n_media[direction] == model->fault.at &&
		model->fault.direction == direction;

	return befalls ? model->fault : none;
}

// Relay media, which has no front any more, to a peer or from one to the client; with a far echo
// there and back.
static void relay(struct model *model, struct datagram *media)
{
	const enum direction direction = media->slot < MODEL_CALLS ? UP : DOWN;
	const bool to_peer = direction == UP && !model->kind.far_echo;
	const uint32_t call =
		direction == UP ? media->slot : (uint32_t)(media->remote.port - RELAY_PORT);
	const struct model_fault fault = next_fault(model, direction);
	struct endpoint from = to_peer ? model->relayed : server;
	uint32_t slot = to_peer ? MODEL_CALLS + call % MODEL_PEERS : call;
	int64_t arrival_ns = model->now_ns + MODEL_DELAY_NS * (model->kind.far_echo ? 2 : 1);

	if (to_peer)
		from.port = (uint16_t)(from.port + call);
	media->remote = model->relayed;
	if (model->kind.far_echo && fault.kind != FAULT_SHORT_CUT)
		echo_take(&model->echo, &model->echo_wire, media, 1);
	if (fault.kind == FAULT_WRONG_SOURCE)
		from.port += MODEL_PEERS;
	if (fault.kind == FAULT_LOSE)
		return;
	if (fault.kind == FAULT_DELAY)
		arrival_ns += fault.delay_ns;
	if (fault.kind == FAULT_MISDELIVER)
		slot = to_peer ? MODEL_CALLS + (call + 1) % MODEL_PEERS : (call + 1) % MODEL_CALLS;
	if (fault.kind == FAULT_DUPLICATE)
		put_media(model, queue_put(model, slot, &from, arrival_ns), media, &fault);
	put_media(model, queue_put(model, slot, &from, arrival_ns), media, &fault);
}

// Take the front off what a client sent; false where it is not media.
static bool take_front(struct datagram *datagram)
{
	const struct stun_attr *data;
	struct stun_view view;

	if (datagram->slot >= MODEL_CALLS)
		return true;
	if (stun_parse(&view, datagram->bytes, datagram->n_bytes)) {
		datagram->bytes += STUN_CHANNEL_HEADER_BYTES;
		datagram->n_bytes -= STUN_CHANNEL_HEADER_BYTES;
		return true;
	}
	if (view.method != STUN_SEND)
		return false;
	data = stun_find(&view, STUN_ATTR_DATA);
	must(data != NULL);
	datagram->bytes = (uint8_t *)data->value;
	datagram->n_bytes = (uint16_t)data->n_bytes;
	return true;
}

// With an allocation goes what it has not yet relayed to its client.
static void take_release(struct model *model, const struct stun_view *request, uint32_t client)
{
	const struct stun_attr *attr = stun_find(request, STUN_ATTR_LIFETIME);
	uint32_t lifetime_s = 1;
	size_t n = 0;

	if (request->method == STUN_ALLOCATE && model->left_ns[client]) {
		const int64_t rest_ns = model->now_ns - model->left_ns[client];

		model->rest_min_ns = rest_ns < model->rest_min_ns ? rest_ns : model->rest_min_ns;
		model->left_ns[client] = 0;
	}
	if (request->method != STUN_REFRESH || !attr || stun_get_u32(attr, &lifetime_s) ||
		lifetime_s)
		return;
	model->left_ns[client] = model->now_ns;
	for (size_t i = 0; i < model->n_queue; i++) {
		const struct model_packet *packet = &model->queue[i];
		const bool media =
			stun_classify(packet->bytes, packet->datagram.n_bytes) == STUN_KIND_CHANNEL;

		if (packet->datagram.slot != client || !media)
			model->queue[n++] = *packet;
	}
	model->n_queue = n;
}

static void send_burst(struct wire *wire, struct datagram *datagrams, size_t n)
{
	struct model *model = (struct model *)wire;

	for (size_t i = 0; i < n; i++) {
		struct datagram *datagram = &datagrams[i];
		struct stun_view view;

		if (take_front(datagram)) {
			datagram->sent = !model->refuses_media;
			if (datagram->sent)
				relay(model, datagram);
			continue;
		}
		must(stun_parse(&view, datagram->bytes, datagram->n_bytes) == 0);
		datagram->sent = true;
		model->n_requests[view.method & 0xf]++;
		take_family(model, &view);
		take_release(model, &view, datagram->slot);
		if (!model->deaf)
			answer(model, &view, datagram->slot);
	}
}

void model_open(struct model *model, struct model_kind kind)
{
	const struct engine_config config = {
		.wire = &model->wire,
		.server = server,
		.relays = relays,
		.n_relays = N_ELEMENTS(relays),
		.peers = peers[kind.ipv6_peers],
		.n_peers = MODEL_PEERS,
		.far_echo = kind.far_echo,
		.indications = kind.indications,
		.n_calls = MODEL_CALLS,
		.user = "user",
		.password = "word",
		.seed = 1,
	};

	*model = (struct model){
		.wire.send_burst = send_burst,
		.kind = kind,
		.echo_wire.send_burst = take_all,
		.echo = {.relays = relays, .n_relays = N_ELEMENTS(relays)},
		.now_ns = START_NS,
		.relayed = {{FAMILY_IPV4, {192, 0, 2, 9}}, RELAY_PORT},
		.lifetime_s = 600,
		.rest_min_ns = INT64_MAX,
		.queue = calloc(MODEL_QUEUE_MAX, sizeof(*model->queue)),
	};
	must(model->queue && stun_mac_create(&model->mac) == 0);
	stun_key_md5(model->mac, &model->key, "user", 4, realm, sizeof(realm) - 1, "word", 4);
	must(engine_create(&model->engine, &config) == 0);
}

void model_close(struct model *model)
{
	engine_destroy(model->engine);
	stun_mac_destroy(model->mac);
	free(model->queue);
}

static void deliver_first(struct model *model)
{
	struct model_packet packet = model->queue[0];

	memmove(model->queue, model->queue + 1, --model->n_queue * sizeof(packet));
	packet.datagram.bytes = packet.bytes;
	engine_take(model->engine, &packet.datagram, 1, model->now_ns);
}

bool model_run_until(struct model *model, bool (*over)(const struct model *), int64_t limit_ns)
{
	while (!over(model)) {
		int64_t next_ns = engine_advance(model->engine, model->now_ns);

		if (model->n_queue && model->queue[0].arrival_ns <= model->now_ns) {
			deliver_first(model);
			continue;
		}
		if (model->n_queue && model->queue[0].arrival_ns < next_ns)
			next_ns = model->queue[0].arrival_ns;
		if (over(model))
			return true;
		if (next_ns > limit_ns) {
			model->now_ns = limit_ns;
			return over(model);
		}
		if (next_ns > model->now_ns)
			model->now_ns = next_ns;
	}
	return true;
}

static bool is_settled(const struct model *model)
{
	return engine_is_settled(model->engine);
}

void model_begin_calls(struct model *model, uint64_t n_calls)
{
	const struct calls_config calls = {.calls_per_s = 10, .n_begins = n_calls};

	engine_begin_calls(model->engine, &calls, model->now_ns);
	must(model_run_until(model, is_settled, model->now_ns + 300 * (int64_t)NS_IN_S));
}

bool model_never(const struct model *model)
{
	(void)model;
	return false;
}

bool model_is_over(const struct model *model)
{
	return engine_is_over(model->engine);
}

bool model_trial_is_over(const struct model *model)
{
	return engine_trial_is_over(model->engine, model->now_ns);
}

void model_run_trial(struct model *model, uint64_t rate, int64_t duration_ns)
{
	const struct profile_config profile = {
		.profile = PROFILE_FLOOD,
		.n_calls = MODEL_CALLS,
		.directions = {true, true},
		.rate = rate,
		.payload_bytes = FLOOD_BYTES,
		.duration_ns = duration_ns,
	};
	struct trial_config trial;

	profile_trial(&trial, &profile);
	engine_begin_trial(model->engine, &trial, model->now_ns);
	model_run_until(
		model, model_trial_is_over, model->now_ns + duration_ns + 2 * (int64_t)NS_IN_S);
}
