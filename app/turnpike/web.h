// What is served over HTTP: /metrics, /healthz and /readyz; with the page on, it at / and the check
// of the relay at /check, fed by /state.json and /check.json.
#ifndef TURNPIKE_WEB_H
#define TURNPIKE_WEB_H

struct loop;
struct web;

// Serve what `http` of the configuration says in the loop's event base; `*out` is NULL where that
// is nothing. Returns 0; -errno, with the reason in the log.
int web_open(struct web **out, struct loop *loop);
void web_close(struct web *web); // NULL is fine

#endif
