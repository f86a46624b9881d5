// Programs that come from outside: those of libpcap run, and nothing else gets to a worker.
#include "capture/capture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>

#define RETURNS ((struct bpf_insn)BPF_STMT(BPF_RET | BPF_K, 1))

static char error[CAPTURE_ERROR_BYTES];

static bool is_taken(const struct bpf_insn *program, size_t n)
{
	struct capture_filter *filter;
	const int rc = capture_filter_create(&filter, program, n, error);

	cr_expect_eq(rc, filter ? 0 : -EINVAL);
	capture_filter_destroy(filter);
	return rc == 0;
}

Test(capture_filter, takes_what_libpcap_makes)
{
	static const char *const expressions[] = {
		"",
		"udp port 3478 and host 192.0.2.1",
		"(host 2001:db8::1 and udp port 5) or (vlan 7 and (ip6 or arp))",
		"ip[0] & 0xf != 5 and (udp[8:2] >> 3) * 4 % 7 = 2 and len / (ip[8] + 1) > 1",
		"ip[2:2] - ((ip[0] & 0xf) << 2) ^ udp[4:2] | 3 < -1",
		"tcp[tcpflags] & tcp-syn != 0 and ether[6 + (len & 1):4] > 7 and less 900",
		"pppoes 7 and mpls 5 or icmp6",
	};
	pcap_t *dead = pcap_open_dead(DLT_EN10MB, UINT16_MAX);

	for (size_t i = 0; i < 2 * N_ELEMENTS(expressions); i++) {
		struct bpf_program program;

		cr_assert_eq(pcap_compile(dead, &program, expressions[i / 2], i % 2,
				     PCAP_NETMASK_UNKNOWN),
			0, "%s: %s", expressions[i / 2], pcap_geterr(dead));
		cr_expect(is_taken(program.bf_insns, program.bf_len), "%s: %s", expressions[i / 2],
			error);
		pcap_freecode(&program);
	}
	pcap_close(dead);
}

Test(capture_filter, lets_through_what_the_program_says)
{
	// The low byte of the type is that of IPv4, and the frame is longer than what is there.
	static const struct bpf_insn program[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 14, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 9),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	uint8_t frame[14] = {0};
	struct capture_filter *filter;

	cr_assert_eq(capture_filter_create(&filter, program, N_ELEMENTS(program), error), 0);
	cr_expect(capture_filter_passes(filter, frame, 60, sizeof(frame)));
	cr_expect_not(capture_filter_passes(filter, frame, 14, sizeof(frame)));
	cr_expect_not(capture_filter_passes(filter, frame, 60, 13), "the type is not there");
	frame[13] = 6;
	cr_expect_not(capture_filter_passes(filter, frame, 60, sizeof(frame)));
	capture_filter_destroy(filter);
}

Test(capture_filter, refuses_what_would_harm_a_worker)
{
	static const struct {
		const char *name;
		struct bpf_insn insn; // followed by one that returns
		const char *error;
	} rows[] = {
		{"no such code", BPF_STMT(0xffff, 0), "instruction 0 (code 65535): there is no"},
		{"a load of no size", BPF_STMT(BPF_LD | 0x18 | BPF_ABS, 0), "no such code"},
		{"a return of X", BPF_STMT(BPF_RET | BPF_X, 0), "no such code"},
		{"a cell past the last", BPF_STMT(BPF_LD | BPF_MEM, BPF_MEMWORDS), "cell"},
		{"the same to X", BPF_STMT(BPF_LDX | BPF_MEM, BPF_MEMWORDS), "cell"},
		{"a store past the last", BPF_STMT(BPF_ST, UINT32_MAX), "cell"},
		{"a store of X past it", BPF_STMT(BPF_STX, BPF_MEMWORDS), "cell"},
		{"a division", BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), "divides by 0"},
		{"a remainder", BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 0), "divides by 0"},
		{"a shift", BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), "shifts"},
		{"a shift right", BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, UINT32_MAX), "shifts"},
		{"a jump to the end", BPF_STMT(BPF_JMP | BPF_JA, 1), "jumps back or out"},
		{"a jump to itself", BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX), "jumps back or out"},
		{"where it is so", BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
			"jumps back or out"},
		{"where it is not", BPF_JUMP(BPF_JMP | BPF_JSET | BPF_X, 0, 0, 1),
			"jumps back or out"},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const struct bpf_insn program[] = {rows[i].insn, RETURNS};

		cr_expect_not(is_taken(program, 2), "%s", rows[i].name);
		cr_expect_not_null(strstr(error, rows[i].error), "%s: %s", rows[i].name, error);
	}
}

Test(capture_filter, takes_the_last_that_is_still_inside)
{
	static const struct bpf_insn rows[] = {
		BPF_STMT(BPF_ST, BPF_MEMWORDS - 1),
		BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 1),
		BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 31),
		BPF_STMT(BPF_JMP | BPF_JA, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 0),
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const struct bpf_insn program[] = {rows[i], RETURNS};

		cr_expect(is_taken(program, 2), "row %zu: %s", i, error);
	}
}

// The one word of pcap-filter(7) that makes a loop.
Test(capture_filter, refuses_protochain)
{
	pcap_t *dead = pcap_open_dead(DLT_EN10MB, UINT16_MAX);
	struct bpf_program program;

	cr_assert_eq(pcap_compile(dead, &program, "ip6 protochain 17", 1, PCAP_NETMASK_UNKNOWN), 0);
	cr_expect_not(is_taken(program.bf_insns, program.bf_len));
	cr_expect_not_null(strstr(error, "jumps back or out"), "%s", error);
	pcap_freecode(&program);
	pcap_close(dead);
}

Test(capture_filter, has_an_end_and_a_bound)
{
	struct bpf_insn *program = calloc(CAPTURE_PROGRAM_MAX + 1, sizeof(*program));

	cr_expect_not(is_taken(program, 0));
	cr_expect_not_null(strstr(error, "0 instructions; allowed: 1..2048"), "%s", error);
	for (size_t i = 0; i <= CAPTURE_PROGRAM_MAX; i++)
		program[i] = RETURNS;
	cr_expect(is_taken(program, CAPTURE_PROGRAM_MAX), "%s", error);
	cr_expect_not(is_taken(program, CAPTURE_PROGRAM_MAX + 1));
	program[4] = (struct bpf_insn)BPF_STMT(BPF_MISC | BPF_TAX, 0);
	cr_expect_not(is_taken(program, 5));
	cr_expect_not_null(strstr(error, "does not return"), "%s", error);
	free(program);
}

// bpf_filter() aborts on a code that it does not know.
Test(capture_filter, runs_every_code_that_it_takes)
{
	static const uint8_t frame[64];
	struct capture_filter *filter;
	unsigned n_taken = 0;

	for (unsigned code = 0; code <= UINT16_MAX; code++) {
		const struct bpf_insn program[] = {BPF_STMT(BPF_ST, 0), BPF_STMT(code, 0), RETURNS};
		const struct bpf_insn by_one[] = {BPF_STMT(code, 1), RETURNS};

		if (capture_filter_create(&filter, program, 3, error) &&
			capture_filter_create(&filter, by_one, 2, error))
			continue;
		n_taken++;
		capture_filter_passes(filter, frame, sizeof(frame), sizeof(frame));
		capture_filter_destroy(filter);
	}
	cr_expect_eq(n_taken, 49, "%u: all that it knows", n_taken);
}
