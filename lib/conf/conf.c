#include "conf.h"

#include "rules.h"
#include "schema.h"
#include "shape.h"
#include "values.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int fail_file(const char *name, int rc, char error[static CONF_ERROR_BYTES])
{
	snprintf(error, CONF_ERROR_BYTES, "%.200s:1: file: %s; allowed: a file that can be read",
		name, strerror(-rc));
	return rc;
}

static int judge(struct conf *conf, struct source *source, const uint8_t *yaml, size_t n_bytes)
{
	struct raw *raw = NULL;
	int rc = shape_check(source);

	if (rc == 0)
		rc = schema_load(&raw, source, yaml, n_bytes);
	if (rc == 0)
		rc = values_take(conf, raw, source);
	if (rc == 0)
		rc = rules_check(conf, source);
	schema_free(raw);
	return rc;
}

int conf_load_bytes(struct conf **out, const char *name, const uint8_t *yaml, size_t n_bytes,
	char error[static CONF_ERROR_BYTES])
{
	struct conf *conf = calloc(1, sizeof(*conf));
	struct source source;
	int rc;

	error[0] = '\0';
	if (conf == NULL)
		return fail_file(name, -ENOMEM, error);
	rc = source_open(&source, name, yaml, n_bytes, error);
	if (rc == 0) {
		rc = judge(conf, &source, yaml, n_bytes);
		source_close(&source);
	}
	if (rc == 0) {
		*out = conf;
		return 0;
	}
	conf_destroy(conf);
	return rc == -ENOMEM ? fail_file(name, rc, error) : rc;
}

// Up to `capacity` bytes of a file or pipe. Returns 0 or -errno.
static int read_all(uint8_t *bytes, size_t capacity, size_t *n_bytes, const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;
	int rc;

	if (fd < 0)
		return -errno;
	while (n > 0 && *n_bytes < capacity) {
		n = read(fd, bytes + *n_bytes, capacity - *n_bytes);
		if (n > 0)
			*n_bytes += (size_t)n;
	}
	rc = n < 0 ? -errno : 0;
	close(fd);
	return rc;
}

int conf_load(struct conf **out, const char *path, char error[static CONF_ERROR_BYTES])
{
	// One more than is allowed shows that there is more.
	const size_t capacity = SOURCE_BYTES_MAX + 1;
	uint8_t *bytes = malloc(capacity);
	size_t n_bytes = 0;
	int rc = bytes == NULL ? -ENOMEM : read_all(bytes, capacity, &n_bytes, path);

	rc = rc < 0 ? fail_file(path, rc, error)
		    : conf_load_bytes(out, path, bytes, n_bytes, error);
	free(bytes);
	return rc;
}

static void destroy_port(struct conf_port *port)
{
	free(port->target);
	free(port->addresses);
	free(port->routes);
	free(port->neighbours);
}

static void destroy_texts(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		explicit_bzero(texts[i], strlen(texts[i]));
		free(texts[i]);
	}
	free(texts);
}

static void destroy_realm(struct conf_realm *realm)
{
	for (size_t i = 0; i < realm->n_users; i++) {
		if (realm->users[i].password)
			explicit_bzero(realm->users[i].password, strlen(realm->users[i].password));
		free(realm->users[i].name);
		free(realm->users[i].password);
	}
	destroy_texts(realm->rest_secrets, realm->n_rest_secrets);
	destroy_texts(realm->rest_secrets_sha256, realm->n_rest_secrets_sha256);
	free(realm->name);
	free(realm->listen);
	free(realm->users);
	free(realm->peers.allow);
	free(realm->peers.deny);
	free(realm->peers.dry_run);
	free(realm->peers.nat64);
}

void conf_destroy(struct conf *conf)
{
	if (conf == NULL)
		return;
	for (size_t i = 0; i < conf->n_ports; i++)
		destroy_port(&conf->ports[i]);
	for (size_t i = 0; i < conf->n_realms; i++)
		destroy_realm(&conf->realms[i]);
	free(conf->ports);
	free(conf->listen);
	free(conf->relay);
	free(conf->realms);
	if (conf->redis.password)
		explicit_bzero(conf->redis.password, strlen(conf->redis.password));
	free(conf->redis.password);
	free(conf->redis.username);
	free(conf->redis.path);
	for (size_t i = 0; i < conf->n_token_keys; i++)
		free(conf->token_keys[i].kid);
	if (conf->token_keys)
		explicit_bzero(conf->token_keys, conf->n_token_keys * sizeof(*conf->token_keys));
	free(conf->token_keys);
	free(conf->token_server_name);
	free(conf->software);
	free(conf->user);
	free(conf->group);
	free(conf->worker_cpus);
	free(conf->http.listen);
	free(conf->records.file);
	free(conf->records.redis);
	free(conf->admin.socket);
	free(conf->admin.group);
	free(conf);
}
