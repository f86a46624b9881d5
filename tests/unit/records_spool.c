// Lines to a file that is moved away, full, or gone.
#include "../../app/turnpike/spool.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];
static char path[128];
static char moved[128];
static struct spool *spool;

static void make_directory(void)
{
	snprintf(directory, sizeof(directory), "/tmp/records_spool-XXXXXX");
	cr_assert_not_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/records", directory);
	snprintf(moved, sizeof(moved), "%s/records.1", directory);
}

static void remove_directory(void)
{
	unlink(path);
	unlink(moved);
	rmdir(directory);
}

TestSuite(spool, .init = make_directory, .fini = remove_directory, .timeout = 30);

static int open_at(const char *at)
{
	int rc = spool_create(&spool, at);

	cr_assert_eq(rc, 0);
	rc = spool_open(spool);
	if (rc)
		spool_close(spool);
	return rc;
}

static void put(const char *line)
{
	spool_put(spool, line, strlen(line));
}

static struct spool_stats stats(void)
{
	struct spool_stats now;

	spool_stats_get(spool, &now);
	return now;
}

// Until so many lines were written or lost.
static void wait_for(uint64_t n)
{
	for (int i = 0; i < 20000 && stats().n_lines + stats().n_lost < n; i++)
		usleep(1000);
	cr_assert_eq(stats().n_lines + stats().n_lost, n);
}

static const char *content(const char *of)
{
	static char text[1024];
	FILE *file = fopen(of, "r");
	size_t n;

	cr_assert_not_null(file, "%s", of);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	return text;
}

Test(spool, appends_lines_to_what_is_there)
{
	FILE *file = fopen(path, "w");

	fputs("old\n", file);
	fclose(file);
	cr_assert_eq(open_at(path), 0);
	put("one");
	put("two");
	spool_close(spool);
	cr_expect_str_eq(content(path), "old\none\ntwo\n");
}

Test(spool, writes_while_it_is_open_and_counts)
{
	cr_assert_eq(open_at(path), 0);
	put("one");
	wait_for(1);
	cr_expect_str_eq(content(path), "one\n");
	cr_expect_eq(stats().n_lines, 1);
	cr_expect_eq(stats().n_lost, 0);
	spool_close(spool);
}

Test(spool, a_file_that_was_moved_away_is_made_anew)
{
	cr_assert_eq(open_at(path), 0);
	put("one");
	wait_for(1);
	cr_assert_eq(rename(path, moved), 0);
	put("two");
	wait_for(2);
	cr_expect_str_eq(content(moved), "one\n");
	cr_expect_str_eq(content(path), "two\n");
	cr_assert_eq(unlink(path), 0);
	put("three");
	spool_close(spool);
	cr_expect_str_eq(content(path), "three\n");
}

Test(spool, reopens_a_file_that_was_moved_away_without_a_line)
{
	cr_assert_eq(open_at(path), 0);
	put("one");
	wait_for(1);
	spool_reopen(spool);
	cr_assert_eq(rename(path, moved), 0);
	spool_reopen(spool);
	for (int i = 0; i < 20000 && access(path, F_OK); i++)
		usleep(1000);
	cr_assert_eq(access(path, F_OK), 0);
	put("two");
	spool_close(spool);
	cr_expect_str_eq(content(moved), "one\n");
	cr_expect_str_eq(content(path), "two\n");
}

Test(spool, where_it_cannot_be_made_anew_the_old_one_goes_on)
{
	cr_assert_eq(open_at(path), 0);
	put("one");
	wait_for(1);
	cr_assert_eq(rename(path, moved), 0);
	cr_assert_eq(mkdir(path, 0700), 0);
	put("two");
	spool_close(spool);
	cr_expect_str_eq(content(moved), "one\ntwo\n");
	cr_assert_eq(rmdir(path), 0);
}

Test(spool, a_full_disk_costs_lines_that_are_counted)
{
	cr_assert_eq(open_at("/dev/full"), 0);
	put("one");
	put("two");
	wait_for(2);
	cr_expect_eq(stats().n_lost, 2);
	spool_close(spool);
}

Test(spool, a_line_that_is_there_in_part_is_ended)
{
	struct rlimit limit = {6, RLIM_INFINITY};

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(open_at(path), 0);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	put("one");
	wait_for(1);
	put("two");
	wait_for(2);
	cr_expect_eq(stats().n_lost, 1);
	limit.rlim_cur = RLIM_INFINITY;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	put("three");
	spool_close(spool);
	cr_expect_str_eq(content(path), "one\ntw\nthree\n");
}

Test(spool, what_a_slow_disk_has_no_room_for_is_lost_and_counted)
{
	static char line[64 * 1024];
	const unsigned n = 4 * SPOOL_BYTES / sizeof(line);
	char fifo[160];

	// Nobody reads: the thread hangs in its first write.
	snprintf(fifo, sizeof(fifo), "%s", path);
	cr_assert_eq(mkfifo(fifo, 0600), 0);
	cr_assert_eq(open_at(fifo), -ENXIO, "a pipe without a reader is refused");
	unlink(fifo);
	cr_assert_eq(open_at(path), 0);
	memset(line, 'x', sizeof(line));
	spool_put(spool, line, SPOOL_BYTES);
	cr_expect_eq(stats().n_lost, 1, "larger than all the room");
	for (unsigned i = 0; i < n; i++)
		spool_put(spool, line, sizeof(line) - 1);
	wait_for(n + 1);
	spool_close(spool);
}

Test(spool, a_path_that_cannot_be_opened_is_said)
{
	cr_expect_eq(open_at("/nowhere/records"), -ENOENT);
	cr_expect_eq(open_at(directory), -EISDIR);
}
