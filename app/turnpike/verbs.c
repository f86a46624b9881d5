#include "verbs.h"

#include "exit.h"

static const struct admin_verb verbs[] = {
	{"status", verb_status, NULL, {{NULL}}},
	{"workers", verb_workers, NULL, {{NULL}}},
	{"ports", verb_ports, NULL, {{NULL}}},
	{"routes", verb_routes, NULL, {{NULL}}},
	{"peers", verb_peers, NULL, {{NULL}}},
	{"realms", verb_realms, NULL, {{NULL}}},
	{"allocations", verb_allocations, NULL,
		{{"user", JSON_STRING}, {"realm", JSON_STRING}, {"client", JSON_STRING}}},
	{"allocation", verb_allocation, verb_allocation_end, {{"id", JSON_STRING}}},
	{"talkers", verb_talkers, verb_talkers_end, {{"ids", JSON_ARRAY}}},
	{"config", verb_config, verb_config_end, {{NULL}}},
	{"capture", verb_capture, verb_capture_end,
		{{"program", JSON_ARRAY}, {"snap", JSON_INTEGER}, {"packets", JSON_INTEGER},
			{"seconds", JSON_INTEGER}}},
	{"kick", verb_kick, verb_kick_end,
		{{"user", JSON_STRING}, {"realm", JSON_STRING}, {"id", JSON_STRING}}},
	{"drain", verb_drain, NULL,
		{{"set", JSON_STRING}, {"answer", JSON_INTEGER}, {"deadline_s", JSON_INTEGER},
			{"exit", JSON_TRUE}}},
	{"log", verb_log, NULL, {{"level", JSON_STRING}}},
	{"reload", verb_reload, NULL, {{NULL}}},
	{"trace", verb_trace, verb_trace_end, {{"address", JSON_STRING}, {"follow", JSON_TRUE}}},
};

int verbs_open(struct loop *loop)
{
	const struct conf_admin *conf = &loop->box->conf->admin;
	const struct admin_config config = {
		.path = conf->socket,
		.group = conf->group,
		.verbs = verbs,
		.n_verbs = N_ELEMENTS(verbs),
		.context = loop,
	};
	char error[ADMIN_ERROR_BYTES];
	int rc;

	if (!conf->socket)
		return 0;
	rc = admin_open(&loop->admin, loop->base, &config, error);
	if (rc)
		log_event(LOG_ERROR, "admin.failed", "reason=\"%s\"", error);
	return rc ? exit_status_of(rc) : 0;
}

const char *verb_text(const struct admin_call *call, const char *key)
{
	return json_string_value(json_object_get(admin_arguments(call), key));
}

bool verb_take_address(struct admin_call *call, const char *key, struct endpoint *out)
{
	const char *text = verb_text(call, key);

	*out = (struct endpoint){.port = 0};
	if (text && (ip_parse(&out->ip, text) == 0 || endpoint_parse(out, text) == 0))
		return true;
	admin_fail(call, EXIT_USAGE, "%s; allowed: ADDRESS or ADDRESS:PORT", key);
	return false;
}

void verb_set_count(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

json_t *verb_ip(const struct ip_addr *ip)
{
	char text[ADDR_TEXT_BYTES];

	return json_string(ip_format(ip, text));
}

json_t *verb_endpoint(const struct endpoint *endpoint)
{
	char text[ADDR_TEXT_BYTES];

	return json_string(endpoint_format(endpoint, text));
}
