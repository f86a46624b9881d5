// config: what is in force, key by key.
#include "exit.h"
#include "verbs.h"

#include <stdlib.h>

#define KEYS_PER_STEP 64

// The whole list is made once: a reload in between does not mix two of them.
void verb_config(struct admin_call *call, void *context)
{
	const struct loop *loop = context;
	struct conf_diff *keys = admin_state(call);
	uint64_t *next = admin_cursor(call);

	if (!keys) {
		keys = calloc(1, sizeof(*keys));
		admin_set_state(call, keys);
		if (!keys || conf_list(keys, loop->box->conf)) {
			admin_fail(call, EXIT_RESOURCE, "no memory for the answer");
			return;
		}
	}
	for (int i = 0; i < KEYS_PER_STEP && *next < keys->n; i++, ++*next)
		admin_say(call,
			json_pack("{s:s,s:s,s:b}", "key", keys->changes[*next].key, "value",
				keys->changes[*next].text, "needs_restart",
				keys->changes[*next].needs_restart));
	if (*next == keys->n)
		admin_done(call);
}

void verb_config_end(struct admin_call *call, void *context)
{
	struct conf_diff *keys = admin_state(call);

	(void)context;
	if (keys)
		conf_diff_free(keys);
	free(keys);
}
