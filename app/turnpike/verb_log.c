// log: how much is written.
#include "exit.h"
#include "verbs.h"

void verb_log(struct admin_call *call, void *context)
{
	const char *text = verb_text(call, "level");
	enum log_level level;

	(void)context;
	if (text) {
		if (!log_level_parse(&level, text)) {
			admin_fail(call, EXIT_USAGE, "level; allowed: error, warning, info, debug");
			return;
		}
		log_set_level(level);
		log_event(LOG_INFO, "log.level", "level=%s", text);
	}
	admin_say(call, json_pack("{s:s}", "level", log_level_name(log_level())));
	admin_done(call);
}
