// Any bytes are a configuration or are refused with one line; never more, never a leak. What the
// judgement of shapes lets pass, libcyaml must take.
#include "conf/conf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	struct conf *conf = NULL;
	char error[CONF_ERROR_BYTES];
	const int rc = conf_load_bytes(&conf, "fuzz", data, n_bytes, error);

	if ((rc == 0) != (conf != NULL) || (rc == 0) != (error[0] == '\0'))
		abort();
	if (rc != 0 && (strchr(error, '\n') != NULL || strstr(error, "; allowed: ") == NULL))
		abort();
	if (rc != 0 && strstr(error, "what config/turnpike.yaml shows") != NULL)
		abort();
	conf_destroy(conf);
	return 0;
}
