#include "log.h"

#include "hash.h"
#include "line.h"
#include "random.h"
#include "sink.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// DPDK's own threads may have something to say as well, hence the lock.
static struct {
	pthread_mutex_t lock;
	enum log_level level;
	enum log_format format;
	enum log_users users;
	bool is_open;
	bool for_journal;
	struct sink sink;
	struct hash_key user_key;
	struct log_site *holding; // sites that hold lines back
	struct log_stats stats;
	uint64_t n_lost_told;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_INFO};

// JOURNAL_STREAM names the device and inode that standard error had when the service began, see
// systemd.exec(5).
static bool leads_to_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long device, inode;
	struct stat what;

	return stream && sscanf(stream, "%lu:%lu", &device, &inode) == 2 &&
		fstat(STDERR_FILENO, &what) == 0 && what.st_dev == device && what.st_ino == inode;
}

static void settle_format(void)
{
	const bool is_journal = leads_to_journal();

	if (state.format == LOG_AUTO && is_journal)
		state.format = LOG_JOURNAL;
	state.for_journal = is_journal || state.format == LOG_JOURNAL;
}

static void open_sink(void)
{
	if (state.is_open)
		sink_close(&state.sink);
	else
		random_secret(&state.user_key, sizeof(state.user_key));
	sink_open(&state.sink, STDERR_FILENO);
	settle_format();
	state.is_open = true;
}

void log_open(const struct log_config *config)
{
	pthread_mutex_lock(&state.lock);
	__atomic_store_n(&state.level, config->level, __ATOMIC_RELAXED);
	state.format = config->format;
	state.users = config->users;
	// What is open stays so: who has given up root cannot open root's terminal again.
	if (state.is_open)
		settle_format();
	else
		open_sink();
	pthread_mutex_unlock(&state.lock);
}

void log_reopen(void)
{
	pthread_mutex_lock(&state.lock);
	open_sink();
	pthread_mutex_unlock(&state.lock);
}

void log_set_level(enum log_level level)
{
	__atomic_store_n(&state.level, level, __ATOMIC_RELAXED);
}

bool log_enabled(enum log_level level)
{
	return level <= __atomic_load_n(&state.level, __ATOMIC_RELAXED);
}

enum log_level log_level(void)
{
	return __atomic_load_n(&state.level, __ATOMIC_RELAXED);
}

bool log_level_parse(enum log_level *out, const char *name)
{
	for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
		if (strcmp(log_level_name((enum log_level)level), name) != 0)
			continue;
		*out = (enum log_level)level;
		return true;
	}
	return false;
}

static int64_t second_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

static void write_line(enum log_level level, const char *event, const char *fields)
{
	struct line line = {.level = level, .event = event, .fields = fields};
	char bytes[LINE_BYTES];
	size_t n;

	if (!state.is_open)
		open_sink();
	clock_gettime(CLOCK_REALTIME, &line.at);
	n = line_write(bytes, state.format, state.for_journal, &line);
	if (sink_write(&state.sink, bytes, n))
		state.stats.n_lines++;
	else
		state.stats.n_lost++;
}

static void put(enum log_level level, const char *event, const char *format, va_list args)
{
	char fields[LINE_BYTES];

	vsnprintf(fields, sizeof(fields), format, args);
	pthread_mutex_lock(&state.lock);
	write_line(level, event, fields);
	pthread_mutex_unlock(&state.lock);
}

static void hold_back(struct log_site *site, enum log_level level, const char *event)
{
	state.stats.n_held_back++;
	site->level = level;
	site->event = event;
	if (site->n_held_back++ > 0)
		return;
	site->next = state.holding;
	state.holding = site;
}

bool log_admit(struct log_site *site, enum log_level level, const char *event)
{
	int64_t second;
	bool may;

	if (!log_enabled(level))
		return false;
	second = second_now();
	pthread_mutex_lock(&state.lock);
	if (site->second != second) {
		site->second = second;
		site->n_lines = 0;
	}
	may = site->n_lines < LOG_SITE_BURST;
	if (may)
		site->n_lines++;
	else
		hold_back(site, level, event);
	pthread_mutex_unlock(&state.lock);
	return may;
}

void log_put(enum log_level level, const char *event, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put(level, event, format, args);
	va_end(args);
}

void log_write(
	struct log_site *site, enum log_level level, const char *event, const char *format, ...)
{
	va_list args;

	if (!log_admit(site, level, event))
		return;
	va_start(args, format);
	put(level, event, format, args);
	va_end(args);
}

// Of what was held back in seconds before `second`; the others stay listed.
static void tell_held_back(int64_t second)
{
	struct log_site **link = &state.holding;
	char fields[128];

	while (*link) {
		struct log_site *site = *link;

		if (site->second >= second) {
			link = &site->next;
			continue;
		}
		*link = site->next;
		snprintf(
			fields, sizeof(fields), "of=%s n=%" PRIu32, site->event, site->n_held_back);
		site->n_held_back = 0;
		write_line(site->level, "log.held_back", fields);
	}
}

static void tell_lost(void)
{
	const uint64_t n_lost = state.stats.n_lost;
	char fields[32];

	if (n_lost == state.n_lost_told)
		return;
	snprintf(fields, sizeof(fields), "n=%" PRIu64, n_lost - state.n_lost_told);
	write_line(LOG_WARNING, "log.lost", fields);
	// This line itself may be lost: then it is none of those to be told.
	if (state.stats.n_lost == n_lost)
		state.n_lost_told = n_lost;
	else
		state.stats.n_lost = n_lost;
}

static void tell(int64_t second)
{
	pthread_mutex_lock(&state.lock);
	tell_lost();
	tell_held_back(second);
	pthread_mutex_unlock(&state.lock);
}

void log_tick(void)
{
	tell(second_now());
}

void log_flush(void)
{
	tell(INT64_MAX);
}

void log_stats_get(struct log_stats *out)
{
	pthread_mutex_lock(&state.lock);
	*out = state.stats;
	pthread_mutex_unlock(&state.lock);
}

const char *log_escape(char *out, size_t out_bytes, const void *bytes, size_t n)
{
	const unsigned char *in = bytes;
	char *at = out;

	for (size_t i = 0; i < n; i++) {
		const bool plain = in[i] > ' ' && in[i] < 0x7f && strchr("\"'\\", in[i]) == NULL;
		const size_t width = plain ? 1 : 4;

		if ((size_t)(at - out) + width >= out_bytes)
			break;
		if (plain)
			*at = (char)in[i];
		else
			snprintf(at, width + 1, "\\x%02x", (unsigned int)in[i]);
		at += width;
	}
	if (out_bytes > 0)
		*at = '\0';
	return out;
}

// A name is somebody only within a realm.
static uint64_t hash_user(const char *realm, const void *name, size_t n_bytes)
{
	uint8_t text[LINE_BYTES];
	const size_t realm_bytes = strnlen(realm, sizeof(text) / 2);
	const size_t name_bytes = n_bytes < sizeof(text) / 2 ? n_bytes : sizeof(text) / 2 - 1;

	memcpy(text, realm, realm_bytes);
	text[realm_bytes] = ':';
	memcpy(text + realm_bytes + 1, name, name_bytes);
	return hash_bytes(&state.user_key, text, realm_bytes + 1 + name_bytes);
}

const char *log_user(
	char out[static LOG_USER_BYTES], const char *realm, const void *name, size_t n_bytes)
{
	if (state.users == LOG_USERS_PLAIN)
		return log_escape(out, LOG_USER_BYTES, name, n_bytes);
	if (state.users == LOG_USERS_OFF) {
		strcpy(out, "-");
		return out;
	}
	snprintf(out, LOG_USER_BYTES, "%016" PRIx64, hash_user(realm, name, n_bytes));
	return out;
}
