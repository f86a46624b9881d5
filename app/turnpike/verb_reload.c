// reload: another configuration, and what it changes.
#include "exit.h"
#include "reload.h"
#include "verbs.h"

#define BUSY_LOOK_MS 10
#define BUSY_WAIT_MS 5000

static void say_changes(struct admin_call *call, const struct conf_diff *diff)
{
	for (size_t i = 0; i < diff->n; i++)
		admin_say(call,
			json_pack("{s:s,s:s,s:b}", "key", diff->changes[i].key, "change",
				diff->changes[i].text, "needs_restart",
				diff->changes[i].needs_restart));
}

// A worker takes a configuration in microseconds; one that stands still is given up on.
void verb_reload(struct admin_call *call, void *context)
{
	struct loop *loop = context;
	uint64_t *since_ms = admin_cursor(call);
	struct reload_result result;

	if (*since_ms == 0)
		*since_ms = loop_now_ms();
	reload(loop, &result);
	if (result.status == RELOAD_BUSY && loop_now_ms() < *since_ms + BUSY_WAIT_MS) {
		admin_wait(call, BUSY_LOOK_MS);
	} else if (result.status == RELOAD_DONE) {
		say_changes(call, &result.diff);
		admin_done(call);
	} else {
		say_changes(call, &result.diff);
		admin_fail(call, result.status == RELOAD_BUSY ? EXIT_RESOURCE : EXIT_CONFIG, "%s",
			result.reason);
	}
	reload_result_free(&result);
}
