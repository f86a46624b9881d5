#include "base/sink.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_BYTES 4096

static char line[LINE_BYTES];

// Whoever is made to wait is ended by an alarm, and the test with it.
static void prepare(void)
{
	memset(line, 'x', sizeof(line));
	signal(SIGPIPE, SIG_IGN);
	alarm(10);
}

static size_t write_until_lost(struct sink *sink)
{
	size_t n = 0;

	while (n < 100000 && sink_write(sink, line, sizeof(line)))
		n++;
	return n;
}

static void check_full_then_read(int write_fd, int read_fd)
{
	struct sink sink;
	char byte[LINE_BYTES];
	size_t n;

	sink_open(&sink, write_fd);
	n = write_until_lost(&sink);
	cr_assert_gt(n, 0);
	cr_assert_lt(n, 100000);
	cr_assert_not(sink_write(&sink, line, sizeof(line)));
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(read(read_fd, byte, sizeof(byte)), sizeof(byte));
	cr_assert(sink_write(&sink, line, sizeof(line)));
	sink_close(&sink);
}

Test(base_sink, a_full_pipe_loses_whole_lines_and_never_waits)
{
	int ends[2];
	struct sink sink;

	prepare();
	cr_assert_eq(pipe(ends), 0);
	sink_open(&sink, ends[1]);
	cr_assert(fcntl(sink.fd, F_GETFL) & O_NONBLOCK);
	sink_close(&sink);
	check_full_then_read(ends[1], ends[0]);
	// The pipe itself is as it was for others who write to it.
	cr_assert_eq(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
	cr_assert_eq(write(ends[1], "x", 1), 1);
}

Test(base_sink, a_full_pipe_that_cannot_be_opened_again_is_looked_at_first)
{
	int ends[2];
	struct sink sink;

	prepare();
	cr_assert_eq(pipe(ends), 0);
	sink = (struct sink){.fd = ends[1]};
	cr_assert_lt(write_until_lost(&sink), 100000);
}

Test(base_sink, a_full_socket_never_waits)
{
	int ends[2];

	prepare();
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	check_full_then_read(ends[1], ends[0]);
}

Test(base_sink, a_reader_that_is_gone_loses_lines)
{
	int ends[2];
	struct sink sink;

	prepare();
	cr_assert_eq(pipe(ends), 0);
	sink_open(&sink, ends[1]);
	close(ends[0]);
	cr_assert_not(sink_write(&sink, line, sizeof(line)));
	sink_close(&sink);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	signal(SIGPIPE, SIG_DFL); // a socket needs no help
	sink_open(&sink, ends[1]);
	close(ends[0]);
	cr_assert_not(sink_write(&sink, line, sizeof(line)));
	sink_close(&sink);
}

Test(base_sink, nothing_there_loses_lines)
{
	struct sink sink;

	prepare();
	sink_open(&sink, 12345);
	cr_assert_not(sink_write(&sink, line, sizeof(line)));
}

static size_t file_bytes(FILE *file)
{
	fseek(file, 0, SEEK_END);
	return (size_t)ftell(file);
}

// A file that may not grow is what a full disk is: it takes a part.
Test(base_sink, a_full_disk_tears_a_line_and_the_next_begins_anew)
{
	struct rlimit limit = {LINE_BYTES + 100, RLIM_INFINITY};
	FILE *file = tmpfile();
	struct sink sink;
	char text[8];

	prepare();
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	sink_open(&sink, fileno(file));
	cr_assert(sink_write(&sink, line, sizeof(line)));
	cr_assert_not(sink_write(&sink, line, sizeof(line)));
	cr_assert_eq(file_bytes(file), LINE_BYTES + 100);
	cr_assert_not(sink_write(&sink, line, sizeof(line)));
	limit.rlim_cur = RLIM_INFINITY;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert(sink_write(&sink, "fine\n", 5));
	fseek(file, LINE_BYTES + 100, SEEK_SET);
	cr_assert_eq(fread(text, 1, sizeof(text), file), 6);
	cr_assert_eq(memcmp(text, "\nfine\n", 6), 0);
}
