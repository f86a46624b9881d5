// Flags that only set one.
#include "plan.h"

#include <strings.h>

void take_no_rfc5780(struct plan *plan, const struct setting *setting)
{
	plan->no_discovery = plan_is_on(plan, setting);
}

void take_rfc5780(struct plan *plan, const struct setting *setting)
{
	plan->no_discovery = !plan_is_on(plan, setting);
}

void take_no_classic(struct plan *plan, const struct setting *setting)
{
	plan->no_classic = plan_is_on(plan, setting);
}

void take_classic(struct plan *plan, const struct setting *setting)
{
	plan->no_classic = !plan_is_on(plan, setting);
}

void take_no_tcp(struct plan *plan, const struct setting *setting)
{
	plan->no_tcp = plan_is_on(plan, setting);
}

void take_no_tls(struct plan *plan, const struct setting *setting)
{
	plan->no_tls = plan_is_on(plan, setting);
}

void take_no_tcp_relay(struct plan *plan, const struct setting *setting)
{
	plan->no_tcp_relay = plan_is_on(plan, setting);
}

void take_certificate(struct plan *plan, const struct setting *setting)
{
	plan->certificate = (struct said){setting->value, setting->what};
}

void take_mobility(struct plan *plan, const struct setting *setting)
{
	plan->mobility = plan_is_on(plan, setting);
}

void take_debug(struct plan *plan, const struct setting *setting)
{
	plan->is_debug = plan_is_on(plan, setting);
}

void take_default_family(struct plan *plan, const struct setting *setting)
{
	if (strcasecmp(setting->value, "ipv4") != 0)
		notes_add(&plan->notes, NOTE_LOST, setting->what,
			"who asks for no family gets IPv4, as RFC 8656 has it");
}
