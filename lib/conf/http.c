// `http`: where metrics, health and the page are served.
#include "text.h"
#include "values.h"

#include <errno.h>

int values_take_http(struct conf *conf, struct raw *raw, struct source *source)
{
	const struct place here = {NULL, "http", 0};
	const struct place page = {&here, "page", 0};
	const struct raw_http *from = &raw->http;
	struct conf_http *to = &conf->http;

	to->page = from->page == RAW_ON;
	to->coturn_names = from->coturn_names == RAW_ON;
	to->listen = values_make_array(from->n_listen, sizeof(*to->listen));
	if (to->listen == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_listen; i++) {
		const struct place place = {&here, "listen", i + 1};

		if (endpoint_parse(&to->listen[i], from->listen[i]) < 0 || to->listen[i].port == 0)
			return source_fail(source, &place, from->listen[i],
				"is no address with a port; allowed: one of this host, like "
				"127.0.0.1:9641 or [::1]:9641");
		to->n_listen++;
	}
	if (to->page && to->n_listen == 0)
		return source_fail(source, &page, NULL,
			"nothing is served without a listener; allowed: off, or http.listen");
	return 0;
}
