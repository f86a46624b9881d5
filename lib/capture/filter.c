// A filter is a program that somebody else compiled: what bpf_filter() would abort on, run out of
// or never come back from must not get to a worker.
#include "capture.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHIFT_MAX 31

struct capture_filter {
	struct bpf_insn program[CAPTURE_PROGRAM_MAX];
};

// What is wrong with an instruction that `n_behind` others follow; NULL where it is one of those
// that libpcap makes.
static const char *fault_of(const struct bpf_insn *insn, size_t n_behind)
{
	switch (insn->code) {
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_B | BPF_MSH:
	case BPF_LDX | BPF_IMM:
	case BPF_ALU | BPF_ADD | BPF_K:
	case BPF_ALU | BPF_SUB | BPF_K:
	case BPF_ALU | BPF_MUL | BPF_K:
	case BPF_ALU | BPF_AND | BPF_K:
	case BPF_ALU | BPF_OR | BPF_K:
	case BPF_ALU | BPF_XOR | BPF_K:
	case BPF_ALU | BPF_ADD | BPF_X:
	case BPF_ALU | BPF_SUB | BPF_X:
	case BPF_ALU | BPF_MUL | BPF_X:
	case BPF_ALU | BPF_DIV | BPF_X: // by 0 it lets nothing through
	case BPF_ALU | BPF_MOD | BPF_X:
	case BPF_ALU | BPF_AND | BPF_X:
	case BPF_ALU | BPF_OR | BPF_X:
	case BPF_ALU | BPF_XOR | BPF_X:
	case BPF_ALU | BPF_LSH | BPF_X: // by more than there are it gives 0
	case BPF_ALU | BPF_RSH | BPF_X:
	case BPF_ALU | BPF_NEG:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
		return NULL;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return insn->k < BPF_MEMWORDS ? NULL : "there is no such cell of memory";
	case BPF_ALU | BPF_DIV | BPF_K:
	case BPF_ALU | BPF_MOD | BPF_K:
		return insn->k ? NULL : "it divides by 0";
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K:
		return insn->k <= SHIFT_MAX ? NULL : "it shifts by more bits than there are";
	case BPF_JMP | BPF_JA:
		return insn->k < n_behind ? NULL : "it jumps back or out of the program";
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_K:
	case BPF_JMP | BPF_JSET | BPF_K:
	case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_X:
		return insn->jt < n_behind && insn->jf < n_behind
			? NULL
			: "it jumps back or out of the program";
	default:
		return "there is no such code";
	}
}

// Jumps only go forward and stay inside, so that each program ends: with its last instruction at
// the latest. Only "protochain" of pcap-filter(7) wants to jump back.
static bool is_sound(
	const struct bpf_insn *program, size_t n, char error[static CAPTURE_ERROR_BYTES])
{
	for (size_t i = 0; i < n; i++) {
		const char *fault = fault_of(&program[i], n - i - 1);

		if (!fault && i == n - 1 && BPF_CLASS(program[i].code) != BPF_RET)
			fault = "it is the last one and does not return";
		if (fault) {
			snprintf(error, CAPTURE_ERROR_BYTES, "instruction %zu (code %u): %s", i,
				program[i].code, fault);
			return false;
		}
	}
	return true;
}

int capture_filter_create(struct capture_filter **out, const struct bpf_insn *program, size_t n,
	char error[static CAPTURE_ERROR_BYTES])
{
	*out = NULL;
	if (n < 1 || n > CAPTURE_PROGRAM_MAX) {
		snprintf(error, CAPTURE_ERROR_BYTES, "%zu instructions; allowed: 1..%d", n,
			CAPTURE_PROGRAM_MAX);
		return -EINVAL;
	}
	if (!is_sound(program, n, error))
		return -EINVAL;
	*out = calloc(1, sizeof(**out));
	if (!*out) {
		snprintf(error, CAPTURE_ERROR_BYTES, "no memory for a filter");
		return -ENOMEM;
	}
	memcpy((*out)->program, program, n * sizeof(*program));
	return 0;
}

void capture_filter_destroy(struct capture_filter *filter)
{
	free(filter);
}

bool capture_filter_passes(
	const struct capture_filter *filter, const uint8_t *bytes, size_t n_bytes, size_t n_there)
{
	return bpf_filter(filter->program, bytes, (u_int)n_bytes, (u_int)n_there) != 0;
}
