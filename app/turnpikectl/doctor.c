// doctor: is the machine fit for the configuration, and is the daemon well?
#include "finding.h"
#include "view.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const severity_names[] = {
	[SEVERITY_OK] = "ok",
	[SEVERITY_WARNING] = "warning",
	[SEVERITY_ERROR] = "error",
};

void finding_add(struct doctor *doctor, enum severity severity, const char *subject,
	const char *advice, const char *format, ...)
{
	json_t *finding;
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	finding = json_pack("{s:s,s:s,s:s}", "severity", severity_names[severity], "subject",
		subject, "finding", text);
	if (advice)
		json_object_set_new(finding, "advice", json_string(advice));
	json_array_append_new(doctor->findings, finding);
	if (severity > doctor->worst)
		doctor->worst = severity;
}

#define PATH_BYTES 512

// Below the root.
static void put_path(
	const struct doctor *doctor, char out[static PATH_BYTES], const char *format, va_list words)
{
	const int n = snprintf(out, PATH_BYTES, "%s", doctor->root);

	if (n < PATH_BYTES)
		vsnprintf(out + n, (size_t)(PATH_BYTES - n), format, words);
}

static bool read_line(char *out, size_t n_bytes, const char *path)
{
	FILE *file = fopen(path, "re");
	bool found;

	if (!file)
		return false;
	found = fgets(out, (int)n_bytes, file);
	fclose(file);
	if (found)
		out[strcspn(out, "\n")] = 0;
	return found;
}

bool finding_read(
	const struct doctor *doctor, char *out, size_t n_bytes, const char *path_format, ...)
{
	char path[PATH_BYTES];
	va_list words;

	va_start(words, path_format);
	put_path(doctor, path, path_format, words);
	va_end(words);
	return read_line(out, n_bytes, path);
}

long finding_read_number(const struct doctor *doctor, const char *path_format, ...)
{
	char path[PATH_BYTES];
	char text[64];
	va_list words;

	va_start(words, path_format);
	put_path(doctor, path, path_format, words);
	va_end(words);
	return read_line(text, sizeof(text), path) ? strtol(text, NULL, 10) : -1;
}

bool finding_exists(const struct doctor *doctor, const char *path_format, ...)
{
	char path[PATH_BYTES];
	va_list words;

	va_start(words, path_format);
	put_path(doctor, path, path_format, words);
	va_end(words);
	return access(path, F_OK) == 0;
}

static void check_all(struct doctor *doctor, struct ctl *ctl)
{
	static void (*const checks[])(struct doctor *) = {check_hugepages, check_cpus,
		check_node_memory, check_iommu, check_ports, check_relay_ports, check_kernel_ports,
		check_rp_filter};
	char error[CONF_ERROR_BYTES];
	struct conf *conf = NULL;

	if (conf_load(&conf, ctl->config_path, error))
		finding_add(doctor, SEVERITY_ERROR, "configuration", NULL, "%s", error);
	doctor->conf = conf;
	for (size_t i = 0; conf && i < N_ELEMENTS(checks); i++)
		checks[i](doctor);
	check_daemon(doctor, ctl);
	check_memlock(doctor);
	doctor->conf = NULL;
	conf_destroy(conf);
}

static void print(const struct ctl *ctl, const struct doctor *doctor)
{
	json_t *finding;
	size_t i;

	json_array_foreach(doctor->findings, i, finding)
	{
		const char *advice = json_string_value(json_object_get(finding, "advice"));

		if (ctl->json) {
			view_json(finding);
			continue;
		}
		printf("%-8s %-14s %s\n", json_string_value(json_object_get(finding, "severity")),
			json_string_value(json_object_get(finding, "subject")),
			json_string_value(json_object_get(finding, "finding")));
		if (advice)
			printf("%24s%s\n", "", advice);
	}
}

int verb_doctor(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{"root", required_argument, NULL, 'r'},
		{0},
	};
	struct doctor doctor = {.root = ""};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'r')
			return ctl_bad_option("doctor");
		doctor.root = optarg;
	}
	if (optind != argc)
		return ctl_usage("doctor", "%s: one word too many", argv[optind]);
	if (!finding_exists(&doctor, "/proc") && !finding_exists(&doctor, "/sys"))
		return ctl_usage("doctor", "--root %s: no proc and sys are below it", doctor.root);
	doctor.findings = json_array();
	check_all(&doctor, ctl);
	print(ctl, &doctor);
	json_decref(doctor.findings);
	return (int)doctor.worst;
}
