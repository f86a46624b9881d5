#include "base/base.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

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
}

static void capture_end(struct capture *c)
{
	dup2(c->saved, STDERR_FILENO);
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

Test(base_log, under_the_journal_a_line_has_a_level_prefix_and_no_stamp)
{
	setenv("JOURNAL_STREAM", "8:1234", 1);
	log_set_level(LOG_DEBUG);
	capture_begin(&cap);
	log_event(LOG_ERROR, "a", "k=%d", 1);
	log_event(LOG_WARNING, "b", "k=%d", 2);
	log_event(LOG_INFO, "c", "k=%d", 3);
	log_event(LOG_DEBUG, "d", "k=%d", 4);
	capture_end(&cap);
	cr_assert_str_eq(
		cap.text, "<3>error a k=1\n<4>warning b k=2\n<6>info c k=3\n<7>debug d k=4\n");
}

Test(base_log, levels_above_the_set_one_are_silent)
{
	setenv("JOURNAL_STREAM", "8:1234", 1);
	capture_begin(&cap);
	log_event(LOG_DEBUG, "silent.by.default", "k=%d", 1);
	log_set_level(LOG_WARNING);
	log_event(LOG_INFO, "silent", "k=%d", 1);
	log_event(LOG_WARNING, "said", "k=%d", 1);
	capture_end(&cap);
	cr_assert_str_eq(cap.text, "<4>warning said k=1\n");
}

Test(base_log, a_site_prints_twenty_lines_a_second_and_owns_up_to_the_rest)
{
	struct log_site site = {0};

	setenv("JOURNAL_STREAM", "8:1234", 1);
	capture_begin(&cap);
	// At the start of a second, so that it can't end within the loop.
	for (int64_t start = coarse_second(); coarse_second() == start;)
		;
	for (int i = 0; i < 27; i++)
		log_write(&site, LOG_INFO, "e", "i=%d", i);
	capture_end(&cap);
	cr_assert_eq(count_lines(cap.text), 20, "%s", cap.text);
	cr_assert_null(strstr(cap.text, "i=20"));
	cr_assert_eq(site.n_held_back, 7);

	site.second--; // the next second has come
	capture_begin(&cap);
	log_write(&site, LOG_INFO, "e", "i=%d", 27);
	log_write(&site, LOG_INFO, "e", "i=%d", 28);
	capture_end(&cap);
	cr_assert_str_eq(cap.text, "<6>info e held_back=7 i=27\n<6>info e i=28\n");
}

Test(base_log, a_long_line_is_cut_and_stays_one_line)
{
	char text[4000];

	setenv("JOURNAL_STREAM", "8:1234", 1);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	capture_begin(&cap);
	log_event(LOG_INFO, "long", "k=%s", text);
	capture_end(&cap);
	cr_assert_eq(count_lines(cap.text), 1);
	cr_assert_leq(strlen(cap.text), 2048);
	cr_assert_gt(strlen(cap.text), 2000);
}

Test(base_log, control_bytes_in_text_cannot_forge_a_line)
{
	setenv("JOURNAL_STREAM", "8:1234", 1);
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
