// The words of pcap-filter(7) that a capture is asked for by, and the program that libpcap makes of
// them. The daemon is asked where they need to know allocations and ports.
#include "filter.h"

#include "base/base.h"

#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#define INSTRUCTIONS_MAX 2048 // that the daemon takes

static bool take_endpoint(const json_t *text, struct endpoint *out)
{
	return json_is_string(text) && endpoint_parse(out, json_string_value(text)) == 0;
}

static void put_endpoint(FILE *words, const struct endpoint *endpoint)
{
	char host[ADDR_TEXT_BYTES];

	fprintf(words, "host %s and udp port %u", ip_format(&endpoint->ip, host), endpoint->port);
}

// Both legs of it. Behind a 1:1 NAT frames have what is inside.
static bool put_allocation(FILE *words, const json_t *allocation)
{
	const json_t *inside = json_object_get(allocation, "inside");
	struct endpoint client, service, relayed;
	json_t *value;
	size_t i;

	if (!take_endpoint(json_object_get(allocation, "client"), &client) ||
		!take_endpoint(json_object_get(allocation, "service"), &service))
		return false;
	fputc('(', words);
	put_endpoint(words, &client);
	fputs(" and ", words);
	put_endpoint(words, &service);
	fputc(')', words);
	json_array_foreach(inside ? inside : json_object_get(allocation, "relayed"), i, value)
	{
		if (!take_endpoint(value, &relayed))
			return false;
		fputs(" or (", words);
		put_endpoint(words, &relayed);
		fputc(')', words);
	}
	return true;
}

// Takes over `request`, of one allocation or many.
static int put_allocations(struct ctl *ctl, FILE *words, json_t *request)
{
	int status;
	json_t *all = ctl_ask(ctl, request, &status);
	json_t *allocation;
	size_t i;

	if (status == EXIT_OK && json_array_size(all) == 0) {
		fputs("turnpikectl: that user has no allocation\n", stderr);
		status = EXIT_UNAVAILABLE;
	}
	json_array_foreach(all, i, allocation)
	{
		fputs(i ? " or " : "", words);
		if (!put_allocation(words, allocation)) {
			fputs("turnpikectl: the daemon speaks of allocations in another way\n",
				stderr);
			status = EXIT_FAULT;
			break;
		}
	}
	json_decref(all);
	return status;
}

static int put_peer(FILE *words, const char *text)
{
	char host[ADDR_TEXT_BYTES];
	struct endpoint peer;

	if (ip_parse(&peer.ip, text) == 0)
		fprintf(words, "host %s", ip_format(&peer.ip, host));
	else if (endpoint_parse(&peer, text) == 0)
		put_endpoint(words, &peer);
	else
		return ctl_usage("capture", "--peer %s; allowed: ADDRESS or ADDRESS:PORT", text);
	return EXIT_OK;
}

static int put_words(struct ctl *ctl, FILE *words, const struct filter *filter)
{
	switch (filter->by) {
	case FILTER_NONE:
		break;
	case FILTER_USER:
		return put_allocations(ctl, words,
			json_pack("{s:s,s:s}", "verb", "allocations", "user", filter->text));
	case FILTER_ALLOCATION:
		return put_allocations(ctl, words,
			json_pack("{s:s,s:s}", "verb", "allocation", "id", filter->text));
	case FILTER_PEER:
		return put_peer(words, filter->text);
	case FILTER_WORDS:
		fputs(filter->text, words);
		break;
	}
	return EXIT_OK;
}

// Has a port of the daemon a tag?
static int find_tags(struct ctl *ctl, bool *are_there)
{
	int status;
	json_t *ports = ctl_ask(ctl, json_pack("{s:s}", "verb", "ports"), &status);
	json_t *port;
	size_t i;

	*are_there = false;
	json_array_foreach(ports, i, port)
	{
		*are_there |= json_object_get(port, "vlan") != NULL;
	}
	json_decref(ports);
	return status;
}

// Frames with a tag are others to libpcap. Words of the operator mean what they say.
static int allow_tags(struct ctl *ctl, const struct filter *filter, char **words)
{
	char *both = NULL;
	bool are_there;
	int status;

	if (filter->by == FILTER_NONE || filter->by == FILTER_WORDS)
		return EXIT_OK;
	status = find_tags(ctl, &are_there);
	if (status != EXIT_OK || !are_there)
		return status;
	if (asprintf(&both, "(%s) or (vlan and (%s))", *words, *words) < 0)
		return EXIT_RESOURCE;
	free(*words);
	*words = both;
	return EXIT_OK;
}

static json_t *program_json(const struct bpf_program *program)
{
	json_t *all = json_array();

	for (u_int i = 0; i < program->bf_len; i++) {
		const struct bpf_insn *insn = &program->bf_insns[i];

		json_array_append_new(all,
			json_pack(
				"[i,i,i,I]", insn->code, insn->jt, insn->jf, (json_int_t)insn->k));
	}
	return all;
}

static int compile(const char *words, json_t **out)
{
	pcap_t *dead = pcap_open_dead(DLT_EN10MB, UINT16_MAX);
	struct bpf_program program;
	int status = EXIT_OK;

	if (!dead)
		return EXIT_RESOURCE;
	if (pcap_compile(dead, &program, words, 1, PCAP_NETMASK_UNKNOWN)) {
		status = ctl_usage("capture", "the filter: %s", pcap_geterr(dead));
		pcap_close(dead);
		return status;
	}
	if (program.bf_len <= INSTRUCTIONS_MAX)
		*out = program_json(&program);
	else
		status = ctl_usage("capture",
			"the filter takes %u instructions, and may have %d: ask for less",
			program.bf_len, INSTRUCTIONS_MAX);
	pcap_freecode(&program);
	pcap_close(dead);
	return status;
}

int filter_compile(struct ctl *ctl, const struct filter *filter, json_t **program)
{
	char *words = NULL;
	size_t n_bytes;
	FILE *file = open_memstream(&words, &n_bytes);
	int status;

	*program = NULL;
	if (!file)
		return EXIT_RESOURCE;
	status = put_words(ctl, file, filter);
	if (fclose(file))
		status = EXIT_RESOURCE;
	if (status == EXIT_OK)
		status = allow_tags(ctl, filter, &words);
	if (status == EXIT_OK)
		status = compile(words, program);
	free(words);
	if (status == EXIT_RESOURCE)
		fputs("turnpikectl: no memory for a filter\n", stderr);
	return status;
}
