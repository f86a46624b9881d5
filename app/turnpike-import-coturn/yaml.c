// The plan as turnpike's YAML. Every text is quoted, so that no value is read as anything else.
#include "plan.h"

#include <string.h>

static void quote(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void write_port(const struct plan *plan, const struct plan_port *port, size_t nth, FILE *out)
{
	char text[ADDR_TEXT_BYTES];
	bool is_begun = false;

	fprintf(out, "  - name: wire%zu\n    device: ", nth);
	quote(out, port->device);
	fputs("\n    addresses:\n", out);
	for (size_t i = 0; i < port->n_addresses; i++)
		fprintf(out, "      - \"%s\"\n", prefix_format(&port->addresses[i], text));
	for (size_t i = 0; i < plan->n_gateways; i++) {
		const struct ip_addr *via = &plan->gateways[i];
		bool is_near = false;

		for (size_t k = 0; k < port->n_addresses; k++)
			is_near = is_near || prefix_contains(&port->addresses[k], via);
		// Who is in no network here is asked for to be refused, once.
		if (!is_near && (nth > 0 || plan->n_ports > 1))
			continue;
		fputs(is_begun ? "" : "    routes:\n", out);
		is_begun = true;
		fprintf(out, "      - {to: \"%s\", via: \"%s\"}\n",
			via->family == FAMILY_IPV4 ? "0.0.0.0/0" : "::/0", ip_format(via, text));
	}
}

static void write_addresses(const struct plan *plan, FILE *out)
{
	char text[ADDR_TEXT_BYTES];

	fputs("\nports:\n", out);
	for (size_t i = 0; i < plan->n_ports; i++)
		write_port(plan, &plan->ports[i], i, out);
	fputs("\nlisten:\n", out);
	for (size_t i = 0; i < plan->n_listen; i++)
		fprintf(out, "  - \"%s\"\n", endpoint_format(&plan->listen[i], text));
	fputs("\nrelay:\n", out);
	for (size_t i = 0; i < plan->n_relay; i++) {
		const struct plan_relay *relay = &plan->relay[i];

		fprintf(out, "  - address: \"%s\"\n", ip_format(&relay->ip, text));
		if (relay->external.family != FAMILY_NONE)
			fprintf(out, "    external: \"%s\"\n", ip_format(&relay->external, text));
		fprintf(out, "    ports: \"%u-%u\"\n", relay->port_min, relay->port_max);
	}
}

static void write_user(const char *name, const char *key, const char *secret, FILE *out)
{
	fputs("    - {name: ", out);
	quote(out, name);
	fprintf(out, ", %s: ", key);
	quote(out, secret);
	fputs("}\n", out);
}

static void write_auth(const struct plan *plan, FILE *out)
{
	fputs("\nauth:\n  realm: ", out);
	quote(out, plan->realm_text);
	fputc('\n', out);
	if (plan->n_users || *plan->password)
		fputs("  users:\n", out);
	for (size_t i = 0; i < plan->n_users; i++) {
		const struct plan_user *user = &plan->users[i];

		write_user(user->name, user->is_key ? "key" : "password", user->secret, out);
	}
	if (*plan->password)
		write_user("imported", "password", plan->password, out);
	if (plan->n_secrets)
		fputs("  rest-secrets:\n", out);
	for (size_t i = 0; i < plan->n_secrets; i++) {
		fputs("    - ", out);
		quote(out, plan->secrets[i]);
		fputc('\n', out);
	}
	if (plan->redis.text)
		fputs("  redis: \"on\"\n", out);
	if (plan->nonce_lifetime_s)
		fprintf(out, "  nonce-lifetime-s: %u\n", plan->nonce_lifetime_s);
}

static void write_redis(const struct plan *plan, FILE *out)
{
	char text[ADDR_TEXT_BYTES];

	if (!plan->redis.text)
		return;
	fprintf(out, "\nredis:\n  server: \"%s\"\n", endpoint_format(&plan->redis_server, text));
	if (plan->redis_user) {
		fputs("  username: ", out);
		quote(out, plan->redis_user);
		fputc('\n', out);
	}
	if (plan->redis_password) {
		fputs("  password: ", out);
		quote(out, plan->redis_password);
		fputc('\n', out);
	}
	fprintf(out, "  database: %u\n", plan->redis_database);
	if (plan->redis_timeout_ms)
		fprintf(out, "  timeout-ms: %u\n", plan->redis_timeout_ms);
}

static void write_number(FILE *out, const char *key, uint32_t number)
{
	if (number)
		fprintf(out, "  %s: %u\n", key, number);
}

// Older clients use channels above 0x4fff, and coturn lets them.
static void write_limits(const struct plan *plan, FILE *out)
{
	char text[ADDR_TEXT_BYTES];

	fputs("\nlimits:\n  channels: rfc5766\n", out);
	write_number(out, "allocations", plan->total_quota);
	write_number(out, "allocations-per-user", plan->user_quota);
	write_number(out, "lifetime-max-s", plan->lifetime_max_s);
	if (plan->n_alternates)
		fputs("  alternate-servers:\n", out);
	for (size_t i = 0; i < plan->n_alternates; i++)
		fprintf(out, "    - \"%s\"\n", endpoint_format(&plan->alternates[i], text));
	if (plan->session_kbit_s || plan->all_kbit_s)
		fputs("  rates:\n", out);
	if (plan->session_kbit_s)
		fprintf(out, "    allocation-kbit-s: %u\n", plan->session_kbit_s);
	if (plan->all_kbit_s)
		fprintf(out, "    all-kbit-s: %u\n", plan->all_kbit_s);
	if (plan->limits_challenges)
		fprintf(out, "  answers:\n    challenges-per-source: %u\n",
			plan->challenges_per_source);
}

static void write_stun(const struct plan *plan, FILE *out)
{
	char text[ADDR_TEXT_BYTES];

	fprintf(out, "\nstun:\n  rfc3489: \"%s\"\n", plan->no_classic ? "off" : "on");
	if (plan->discovery.ip.family != FAMILY_NONE)
		fprintf(out, "  alternate-address: \"%s\"\n",
			endpoint_format(&plan->discovery, text));
	if (plan->mobility)
		fputs("\nmobility: \"on\"\n", out);
}

static void write_ranges(const char *key, const struct ip_range *list, size_t n, FILE *out)
{
	char text[RANGE_TEXT_BYTES];

	if (n)
		fprintf(out, "  %s:\n", key);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "    - \"%s\"\n", range_format(&list[i], text));
}

void plan_write(const struct plan *plan, const char *from, FILE *out)
{
	fputs("# turnpike's configuration, made by turnpike-import-coturn of ", out);
	for (; *from; from++)
		fputc(*from < ' ' || *from > '~' ? '?' : *from, out);
	fputs(".\n", out);
	fputs("# turnpike.yaml(5) has the meaning, unit, default and range of every key.\n", out);
	notes_comment(&plan->notes, out);
	write_addresses(plan, out);
	write_auth(plan, out);
	write_redis(plan, out);
	write_limits(plan, out);
	write_stun(plan, out);
	fputs("\npeers:\n  profile: public\n", out);
	write_ranges("allow", plan->allow, plan->n_allow, out);
	write_ranges("deny", plan->deny, plan->n_deny, out);
	if (plan->is_debug)
		fputs("\nlog:\n  level: debug\n", out);
}
