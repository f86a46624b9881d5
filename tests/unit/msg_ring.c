#include "msg/msg.h"

#include <criterion/criterion.h>
#include <poll.h>

Test(msg_channel, keeps_order_and_refuses_what_does_not_fit)
{
	struct msg_channel channel;
	struct msg batch[4] = {0};
	unsigned n_sent = 0;
	struct msg msg = {.kind = MSG_SEND};

	cr_assert_eq(msg_channel_create(&channel, 10, NUMA_NODE_ANY), 0);
	cr_expect_geq(msg_room(&channel), 10);
	while (msg_send(&channel, &msg))
		msg.seq = ++n_sent;
	cr_expect_geq(n_sent, 10);
	cr_expect_eq(msg_room(&channel), 0);
	cr_expect(msg_waiting(&channel));
	for (unsigned i = 0; i < n_sent; i++) {
		cr_assert_eq(msg_receive_burst(&channel, &msg, 1), 1);
		cr_assert_eq(msg.seq, i);
	}
	cr_expect_not(msg_waiting(&channel));
	cr_expect_eq(msg_receive_burst(&channel, batch, 4), 0);
	msg_channel_destroy(&channel);
}

Test(msg_channel, burst_goes_whole_or_not_at_all)
{
	struct msg_channel channel;
	struct msg batch[16] = {0};

	cr_assert_eq(msg_channel_create(&channel, 20, NUMA_NODE_ANY), 0);
	cr_expect_eq(msg_send_burst(&channel, batch, 16), 16);
	cr_expect_eq(msg_send_burst(&channel, batch, 16), 0);
	cr_expect_eq(msg_receive_burst(&channel, batch, 16), 16);
	msg_channel_destroy(&channel);
}

static bool is_readable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

Test(doorbell, rings_only_a_sleeper_and_only_once)
{
	struct doorbell doorbell;

	cr_assert_eq(doorbell_open(&doorbell), 0);
	doorbell_ring(&doorbell);
	cr_expect_not(is_readable(doorbell.fd));
	doorbell_announce(&doorbell);
	doorbell_ring(&doorbell);
	doorbell_ring(&doorbell);
	cr_expect(is_readable(doorbell.fd));
	doorbell_awake(&doorbell);
	cr_expect_not(is_readable(doorbell.fd));
	doorbell_ring(&doorbell);
	cr_expect_not(is_readable(doorbell.fd));
	doorbell_close(&doorbell);
}
