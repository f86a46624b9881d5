#include "base/base.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NOBODY 65534

// Standard error goes to a file while a test logs; Criterion runs each test in its own process.
struct capture {
	int saved;
	FILE *file;
	char text[64 * 1024];
};

static void capture_begin(struct capture *c)
{
	c->file = tmpfile();
	c->saved = dup(STDERR_FILENO);
	dup2(fileno(c->file), STDERR_FILENO);
	log_reopen();
}

static void capture_end(struct capture *c)
{
	log_flush();
	dup2(c->saved, STDERR_FILENO);
	log_reopen();
	rewind(c->file);
	c->text[fread(c->text, 1, sizeof(c->text) - 1, c->file)] = '\0';
	fclose(c->file);
	close(c->saved);
}

static bool matches(const char *text, const char *pattern)
{
	regex_t regex;
	bool hit;

	regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB);
	hit = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return hit;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static int64_t coarse_second(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

static struct capture cap;

static void open_as(enum log_level level, enum log_format format)
{
	log_open(&(struct log_config){.level = level, .format = format});
}

// As if systemd had made what standard error is now.
static void claim_journal(unsigned long inode_off_by)
{
	struct stat what;
	char text[64];

	cr_assert_eq(fstat(STDERR_FILENO, &what), 0);
	snprintf(text, sizeof(text), "%lu:%lu", what.st_dev, what.st_ino + inode_off_by);
	setenv("JOURNAL_STREAM", text, 1);
}

Test(base_log, a_line_is_stamp_level_event_and_text)
{
	unsetenv("JOURNAL_STREAM");
	capture_begin(&cap);
	log_event(LOG_INFO, "allocation.created", "client=%s port=%d", "192.0.2.1", 5);
	capture_end(&cap);
	cr_assert(matches(cap.text,
			  "^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]"
			  "\\.[0-9]{3}Z info allocation\\.created "
			  "client=192\\.0\\.2\\.1 port=5\n$"),
		"%s", cap.text);
}

Test(base_log, to_the_journal_a_line_has_a_level_prefix_and_no_stamp)
{
	capture_begin(&cap);
	claim_journal(0);
	open_as(LOG_DEBUG, LOG_AUTO);
	log_event(LOG_ERROR, "a", "k=%d", 1);
	log_event(LOG_WARNING, "b", "k=%d", 2);
	log_event(LOG_INFO, "c", "k=%d", 3);
	log_event(LOG_DEBUG, "d", "k=%d", 4);
	capture_end(&cap);
	cr_assert_str_eq(
		cap.text, "<3>error a k=1\n<4>warning b k=2\n<6>info c k=3\n<7>debug d k=4\n");
}

// A service may send its standard error elsewhere, and the variable stays.
Test(base_log, a_journal_stream_that_is_another_file_is_none)
{
	capture_begin(&cap);
	claim_journal(1);
	open_as(LOG_INFO, LOG_AUTO);
	log_event(LOG_INFO, "e", "k=%d", 1);
	capture_end(&cap);
	cr_assert(matches(cap.text, "^2[0-9-]+T[0-9:.]+Z info e k=1\n$"), "%s", cap.text);
}

Test(base_log, json_to_the_journal_has_its_prefix_too)
{
	capture_begin(&cap);
	claim_journal(0);
	open_as(LOG_INFO, LOG_JSON);
	log_event(LOG_WARNING, "e", "k=%d", 1);
	capture_end(&cap);
	cr_assert(matches(cap.text,
			  "^<4>\\{\"time\":\"[^\"]+\",\"level\":\"warning\","
			  "\"event\":\"e\",\"k\":1\\}\n$"),
		"%s", cap.text);
}

Test(base_log, levels_above_the_set_one_are_silent)
{
	capture_begin(&cap);
	open_as(LOG_INFO, LOG_JOURNAL);
	log_event(LOG_DEBUG, "silent.by.default", "k=%d", 1);
	log_set_level(LOG_WARNING);
	log_event(LOG_INFO, "silent", "k=%d", 1);
	log_event(LOG_WARNING, "said", "k=%d", 1);
	capture_end(&cap);
	cr_assert_str_eq(cap.text, "<4>warning said k=1\n");
}

Test(base_log, a_site_prints_twenty_lines_a_second_and_the_tick_owns_up_to_the_rest)
{
	struct log_site site = {0};
	struct log_stats stats;

	open_as(LOG_INFO, LOG_JOURNAL);
	capture_begin(&cap);
	// At the start of a second, so that it can't end within the loop.
	for (int64_t start = coarse_second(); coarse_second() == start;)
		;
	for (int i = 0; i < 27; i++)
		log_write(&site, LOG_INFO, "e", "i=%d", i);
	log_tick(); // the second is not over: more may be held back
	capture_end(&cap); // and flushes
	cr_assert_eq(count_lines(cap.text), 21, "%s", cap.text);
	cr_assert_null(strstr(cap.text, "i=20"));
	cr_assert(matches(cap.text, "i=19\n<6>info log.held_back of=e n=7\n$"), "%s", cap.text);
	cr_assert_eq(site.n_held_back, 0);
	log_stats_get(&stats);
	cr_assert_eq(stats.n_held_back, 7);
	cr_assert_eq(stats.n_lines, 21);

	site.second--; // the next second has come
	capture_begin(&cap);
	log_write(&site, LOG_INFO, "e", "i=%d", 27);
	log_tick();
	capture_end(&cap);
	cr_assert_str_eq(cap.text, "<6>info e i=27\n");
}

Test(base_log, what_was_held_back_is_said_though_nothing_more_comes)
{
	struct log_site sites[3] = {0};

	open_as(LOG_INFO, LOG_JOURNAL);
	capture_begin(&cap);
	for (int64_t start = coarse_second(); coarse_second() == start;)
		;
	for (int i = 0; i < LOG_SITE_BURST; i++)
		for (int k = 0; k < 3; k++)
			log_admit(&sites[k], LOG_INFO, "quiet");
	log_admit(&sites[0], LOG_INFO, "a");
	log_admit(&sites[1], LOG_WARNING, "b");
	log_admit(&sites[2], LOG_INFO, "c");
	sites[0].second--;
	sites[2].second--;
	log_tick();
	log_tick();
	sites[1].second--;
	log_tick();
	capture_end(&cap);
	cr_assert_str_eq(cap.text,
		"<6>info log.held_back of=c n=1\n<6>info log.held_back of=a n=1\n"
		"<4>warning log.held_back of=b n=1\n");
}

Test(base_log, lines_that_a_full_pipe_loses_are_counted_and_told)
{
	const int saved = dup(STDERR_FILENO);
	static char text[1 << 20];
	struct log_stats stats;
	int ends[2];

	alarm(10); // whoever waits for a reader
	cr_assert_eq(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	open_as(LOG_INFO, LOG_JOURNAL);
	// Shorter than what tells of them: that finds no room in the last page either.
	for (int i = 0; i < 10000; i++)
		log_put(LOG_INFO, "e", "k=%d", 1);
	log_tick();
	log_stats_get(&stats);
	cr_assert_gt(stats.n_lines, 100);
	cr_assert_eq(stats.n_lost, 10000 - stats.n_lines);
	cr_assert_gt(read(ends[0], text, sizeof(text)), 0);
	log_tick();
	dup2(saved, STDERR_FILENO);
	text[read(ends[0], text, sizeof(text) - 1)] = 0;
	snprintf(text + 1000, 100, "<4>warning log.lost n=%lu\n", stats.n_lost);
	cr_assert_str_eq(text, text + 1000);
}

// Root's own, which nobody reads, as standard error.
static void take_terminal(void)
{
	const int reader = posix_openpt(O_RDWR | O_NOCTTY);
	int writer;

	cr_assert(reader >= 0 && grantpt(reader) == 0 && unlockpt(reader) == 0);
	writer = open(ptsname(reader), O_WRONLY | O_NOCTTY);
	cr_assert_geq(writer, 0);
	dup2(writer, STDERR_FILENO);
}

Test(base_log, who_has_given_up_root_waits_for_no_terminal_after_a_reload)
{
	const int saved = dup(STDERR_FILENO);
	struct log_stats stats;

	if (geteuid() != 0)
		cr_skip_test("needs root");
	alarm(10); // whoever waits for a reader
	take_terminal();
	open_as(LOG_INFO, LOG_JOURNAL);
	cr_assert_eq(seteuid(NOBODY), 0);
	open_as(LOG_DEBUG, LOG_JOURNAL);
	for (int i = 0; i < 10000; i++)
		log_put(LOG_INFO, "e", "k=%d", 1);
	cr_assert_eq(seteuid(0), 0);
	dup2(saved, STDERR_FILENO);
	log_stats_get(&stats);
	cr_expect_gt(stats.n_lines, 0);
	cr_expect_gt(stats.n_lost, 0);
}

Test(base_log, a_long_line_is_cut_and_stays_one_line)
{
	char text[6000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	open_as(LOG_INFO, LOG_JOURNAL);
	capture_begin(&cap);
	log_event(LOG_INFO, "long", "k=%s", text);
	capture_end(&cap);
	cr_assert_eq(count_lines(cap.text), 1);
	cr_assert_leq(strlen(cap.text), 4096);
	cr_assert_gt(strlen(cap.text), 4000);
}

Test(base_log, names_of_users_are_plain_hashed_or_off)
{
	char alice[LOG_USER_BYTES];
	char again[LOG_USER_BYTES];
	char other[LOG_USER_BYTES];

	cr_assert_str_eq(log_user(alice, "r", "al\nice", 6), "al\\x0aice");
	log_open(&(struct log_config){.level = LOG_INFO, .users = LOG_USERS_OFF});
	cr_assert_str_eq(log_user(alice, "r", "alice", 5), "-");
	log_open(&(struct log_config){.level = LOG_INFO, .users = LOG_USERS_HASHED});
	cr_assert(matches(log_user(alice, "r", "alice", 5), "^[0-9a-f]{16}$"), "%s", alice);
	cr_assert_str_eq(log_user(again, "r", "alice", 5), alice);
	// Not where a reload opens the log again either.
	log_open(&(struct log_config){.level = LOG_DEBUG, .users = LOG_USERS_HASHED});
	cr_assert_str_eq(log_user(again, "r", "alice", 5), alice);
	cr_assert_str_neq(log_user(other, "r", "alicf", 5), alice);
	cr_assert_str_neq(log_user(other, "s", "alice", 5), alice);
}

Test(base_log, the_longest_name_is_cut_and_harmless)
{
	char name[5000];
	char out[LOG_USER_BYTES];

	memset(name, '\n', sizeof(name));
	cr_assert_lt(strlen(log_user(out, "r", name, sizeof(name))), LOG_USER_BYTES);
	log_open(&(struct log_config){.level = LOG_INFO, .users = LOG_USERS_HASHED});
	cr_assert_eq(strlen(log_user(out, "r", name, sizeof(name))), 16);
}

Test(base_log, control_bytes_in_text_cannot_forge_a_line)
{
	open_as(LOG_INFO, LOG_JOURNAL);
	capture_begin(&cap);
	log_event(LOG_INFO, "e", "k=%s", "a\n<3>forged\r\x1b[2J");
	capture_end(&cap);
	cr_assert_str_eq(cap.text, "<6>info e k=a?<3>forged??[2J\n");
}

Test(base_log, escape_leaves_plain_text_and_hexes_the_rest)
{
	char out[128];

	cr_assert_str_eq(
		log_escape(out, sizeof(out), "alice@example.org", 17), "alice@example.org");
	cr_assert_str_eq(log_escape(out, sizeof(out), "a b\"c\n\0\x7f\xff\\", 10),
		"a\\x20b\\x22c\\x0a\\x00\\x7f\\xff\\x5c");
	cr_assert_str_eq(log_escape(out, sizeof(out), "", 0), "");
}

Test(base_log, escape_cuts_at_the_end_and_never_inside_an_escape)
{
	char out[8];

	cr_assert_str_eq(log_escape(out, 4, "abcdef", 6), "abc");
	cr_assert_str_eq(log_escape(out, 6, "ab\ncd", 5), "ab");
	cr_assert_str_eq(log_escape(out, 7, "ab\ncd", 5), "ab\\x0a");
	cr_assert_str_eq(log_escape(out, 1, "ab", 2), "");
}
