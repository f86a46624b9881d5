#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0640

struct spool {
	char *path;
	int fd; // the thread's, once there are lines
	bool torn; // the file ends within a line
	pthread_t thread;
	pthread_mutex_t mutex; // of all below; held for no longer than a copy takes
	pthread_cond_t wake;
	bool stop;
	bool reopen;
	char *filling;
	char *writing; // the thread's
	size_t n_bytes; // in `filling`
	struct spool_stats stats;
};

// Of a pipe without a reader it says so, and waits for none.
static int open_file(const char *path)
{
	const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK;
	const int fd = open(path, flags, FILE_MODE);

	return fd < 0 ? -errno : fd;
}

// Where it cannot be opened anew, what was moved away is better than nothing. Returns 0, or why.
static int follow_path(struct spool *spool)
{
	struct stat there, ours;
	int fd;

	if (stat(spool->path, &there) == 0 && fstat(spool->fd, &ours) == 0 &&
		there.st_ino == ours.st_ino && there.st_dev == ours.st_dev)
		return 0;
	fd = open_file(spool->path);
	if (fd < 0)
		return fd;
	close(spool->fd);
	spool->fd = fd;
	spool->torn = false;
	return 0;
}

static size_t write_all(int fd, const char *bytes, size_t n_bytes)
{
	size_t n_done = 0;

	while (n_done < n_bytes) {
		const ssize_t n = write(fd, bytes + n_done, n_bytes - n_done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		n_done += (size_t)n;
	}
	return n_done;
}

static uint64_t count_lines(const char *bytes, size_t n_bytes)
{
	uint64_t n = 0;

	for (size_t i = 0; i < n_bytes; i++)
		n += bytes[i] == '\n';
	return n;
}

// A line that the disk has taken in part is ended before the next one, so that one is lost.
static struct spool_stats write_lines(struct spool *spool, size_t n_bytes)
{
	struct spool_stats stats = {.open_error = follow_path(spool)};
	size_t n_done = 0;

	if (!spool->torn || write_all(spool->fd, "\n", 1) == 1) {
		n_done = write_all(spool->fd, spool->writing, n_bytes);
		spool->torn = n_done > 0 && spool->writing[n_done - 1] != '\n';
	}
	stats.n_lines = count_lines(spool->writing, n_done);
	stats.n_lost = count_lines(spool->writing + n_done, n_bytes - n_done);
	return stats;
}

static void *run(void *argument)
{
	struct spool *spool = argument;

	pthread_mutex_lock(&spool->mutex);
	while (!spool->stop || spool->n_bytes) {
		char *full = spool->filling;
		const size_t n_bytes = spool->n_bytes;
		struct spool_stats stats;

		if (n_bytes == 0 && !spool->reopen) {
			pthread_cond_wait(&spool->wake, &spool->mutex);
			continue;
		}
		spool->filling = spool->writing;
		spool->writing = full;
		spool->n_bytes = 0;
		spool->reopen = false;
		pthread_mutex_unlock(&spool->mutex);
		stats = write_lines(spool, n_bytes);
		pthread_mutex_lock(&spool->mutex);
		spool->stats.n_lines += stats.n_lines;
		spool->stats.n_lost += stats.n_lost;
		spool->stats.open_error = stats.open_error;
	}
	pthread_mutex_unlock(&spool->mutex);
	return NULL;
}

// Signals are for the thread that waits for them.
static int start(struct spool *spool)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rc = pthread_create(&spool->thread, NULL, run, spool);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}

static void free_all(struct spool *spool)
{
	if (spool->fd >= 0)
		close(spool->fd);
	pthread_mutex_destroy(&spool->mutex);
	pthread_cond_destroy(&spool->wake);
	free(spool->filling);
	free(spool->writing);
	free(spool->path);
	free(spool);
}

int spool_create(struct spool **out, const char *path)
{
	struct spool *spool = calloc(1, sizeof(*spool));
	int rc = -ENOMEM;

	*out = NULL;
	if (!spool)
		return rc;
	pthread_mutex_init(&spool->mutex, NULL);
	pthread_cond_init(&spool->wake, NULL);
	spool->path = strdup(path);
	spool->filling = malloc(SPOOL_BYTES);
	spool->writing = malloc(SPOOL_BYTES);
	spool->fd = -1;
	if (spool->path && spool->filling && spool->writing)
		rc = start(spool);
	if (rc) {
		free_all(spool);
		return rc;
	}
	*out = spool;
	return 0;
}

int spool_open(struct spool *spool)
{
	spool->fd = open_file(spool->path);
	return spool->fd < 0 ? spool->fd : 0;
}

void spool_finish(struct spool *spool)
{
	if (spool->stop)
		return;
	pthread_mutex_lock(&spool->mutex);
	spool->stop = true;
	pthread_cond_signal(&spool->wake);
	pthread_mutex_unlock(&spool->mutex);
	pthread_join(spool->thread, NULL);
}

void spool_close(struct spool *spool)
{
	if (!spool)
		return;
	spool_finish(spool);
	free_all(spool);
}

void spool_reopen(struct spool *spool)
{
	pthread_mutex_lock(&spool->mutex);
	spool->reopen = true;
	pthread_cond_signal(&spool->wake);
	pthread_mutex_unlock(&spool->mutex);
}

void spool_put(struct spool *spool, const char *line, size_t n_bytes)
{
	pthread_mutex_lock(&spool->mutex);
	if (n_bytes + 1 > SPOOL_BYTES - spool->n_bytes) {
		spool->stats.n_lost++;
	} else {
		memcpy(spool->filling + spool->n_bytes, line, n_bytes);
		spool->filling[spool->n_bytes + n_bytes] = '\n';
		spool->n_bytes += n_bytes + 1;
		pthread_cond_signal(&spool->wake);
	}
	pthread_mutex_unlock(&spool->mutex);
}

void spool_stats_get(struct spool *spool, struct spool_stats *out)
{
	pthread_mutex_lock(&spool->mutex);
	*out = spool->stats;
	pthread_mutex_unlock(&spool->mutex);
}
