// Binding requests that the worker answers itself, with what an operator may add to the answer.
#include "rig.h"
#include "stun/stun.h"

#include <criterion/criterion.h>

static struct rig rig;

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(binding, .fini = close_rig);

// An answer as it left, parsed.
struct answer {
	struct frame frame;
	struct datagram datagram;
	struct stun_view view;
	char from[64];
	char to[64];
};

// Sends an empty Binding request; false where nothing was sent back at once.
static bool ask(struct answer *a, const char *service, bool with_fingerprint)
{
	uint8_t request[64];
	struct stun_writer w;
	struct datagram in = {CLIENT, service, .payload = request};
	struct frame frame;

	stun_writer_init(&w, request, sizeof(request), STUN_REQUEST, STUN_BINDING,
		(const uint8_t *)"0123456789ab");
	if (with_fingerprint)
		stun_put_fingerprint(&w);
	in.n = stun_writer_end(&w);
	frame = frame_udp(&in);
	rig_receive(&rig, &frame);
	worker_poll(rig.worker);
	if (!rig_sent(&rig, &a->frame))
		return false;
	cr_assert(frame_read(&a->frame, &a->datagram, a->from, a->to));
	cr_assert_not(a->datagram.bad_checksum);
	cr_assert_eq(stun_parse(&a->view, a->datagram.payload, a->datagram.n), 0);
	cr_assert_eq(a->view.class, STUN_SUCCESS);
	return true;
}

Test(binding, says_nothing_of_the_software_by_default)
{
	struct answer a;

	rig_open(&rig, &(struct rig_options){0});
	cr_assert(ask(&a, SERVICE, false));
	cr_expect_eq(a.view.n_attrs, 1);
	cr_expect_null(stun_find(&a.view, STUN_ATTR_SOFTWARE));
}

Test(binding, says_the_software_where_it_is_told_to)
{
	char text[STUN_SOFTWARE_BYTES_MAX + 1] = "";
	const struct stun_attr *software;
	struct answer a;

	memset(text, 's', sizeof(text) - 1);
	rig_open(&rig, &(struct rig_options){.software = text});
	for (int with_fingerprint = 0; with_fingerprint < 2; with_fingerprint++) {
		cr_assert(ask(&a, SERVICE, with_fingerprint));
		software = stun_find(&a.view, STUN_ATTR_SOFTWARE);
		cr_assert_not_null(software);
		cr_expect_eq(software->n_bytes, strlen(text));
		cr_expect_eq(memcmp(software->value, text, software->n_bytes), 0);
		cr_expect_eq(stun_fingerprint_check(&a.view), with_fingerprint);
	}
}

// As many as realms have listeners; the port behind them is the kernel's, as before.
Test(binding, every_port_of_an_address_may_be_a_service)
{
	const struct endpoint first = rig_endpoint(SERVICE);
	const uint16_t n_more = 1000;
	char service[ADDR_TEXT_BYTES];
	struct answer a;

	rig_open(&rig, &(struct rig_options){.n_more_services = n_more});
	for (uint16_t i = 0; i <= n_more; i++) {
		endpoint_format(&(struct endpoint){first.ip, (uint16_t)(first.port + i)}, service);
		cr_assert(ask(&a, service, false), "%s", service);
		cr_expect_str_eq(a.from, service);
	}
	endpoint_format(&(struct endpoint){first.ip, (uint16_t)(first.port + n_more + 1)}, service);
	cr_expect_not(ask(&a, service, false));
	cr_expect_eq(rig_stats(&rig)->n_mirrored, 1);
}

static void expect_address(const struct answer *a, uint16_t type, const char *want)
{
	const struct stun_attr *attr = stun_find(&a->view, type);
	struct endpoint endpoint;
	char text[ADDR_TEXT_BYTES];

	cr_assert_not_null(attr);
	cr_assert_eq(stun_get_address(attr, &endpoint), 0);
	cr_expect_str_eq(endpoint_format(&endpoint, text), want);
}

Test(binding, tells_its_other_address_where_it_has_one)
{
	struct answer a;

	rig_open(&rig, &(struct rig_options){.with_discovery = true});
	cr_assert(ask(&a, "198.18.0.4:3478", true));
	cr_expect_str_eq(a.from, "198.18.0.4:3478");
	cr_expect_eq(a.view.n_attrs, 4);
	cr_expect_not_null(stun_find(&a.view, STUN_ATTR_XOR_MAPPED_ADDRESS));
	expect_address(&a, STUN_ATTR_MAPPED_ADDRESS, CLIENT);
	expect_address(&a, STUN_ATTR_RESPONSE_ORIGIN, "198.18.0.4:3478");
	expect_address(&a, STUN_ATTR_OTHER_ADDRESS, "198.18.0.2:3479");
	cr_expect(stun_fingerprint_check(&a.view));
}
