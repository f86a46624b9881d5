#include "outbox.h"

#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IN_FLIGHT_MAX 64 // what is sent twice at most where a link breaks

static struct outbox_item *item_at(const struct outbox *outbox, size_t i)
{
	return &outbox->items[(outbox->first + i) % REDIS_OUTBOX_MAX];
}

int outbox_init(struct outbox *outbox, struct link *link)
{
	outbox->link = link;
	outbox->items = calloc(REDIS_OUTBOX_MAX, sizeof(*outbox->items));
	return outbox->items ? 0 : -ENOMEM;
}

void outbox_fini(struct outbox *outbox)
{
	for (size_t i = 0; i < outbox->n; i++)
		free(item_at(outbox, i)->bytes);
	free(outbox->items);
	outbox->items = NULL;
	outbox->n = 0;
}

static void remove_first(struct outbox *outbox)
{
	free(item_at(outbox, 0)->bytes);
	outbox->first = (outbox->first + 1) % REDIS_OUTBOX_MAX;
	outbox->n--;
}

// A link that breaks answers all that it was told with nothing: it is told again.
static void on_told(struct redisAsyncContext *ac, void *answer, void *argument)
{
	const struct redisReply *reply = answer;
	struct redis *redis = link_heard(ac);
	struct outbox *outbox = &redis->outbox;

	(void)argument;
	outbox->n_sent--;
	if (!reply)
		return;
	if (reply->type == REDIS_REPLY_ERROR)
		outbox->n_refused++;
	else
		outbox->n_told++;
	remove_first(outbox);
	outbox_flush(outbox);
}

static int send_item(struct outbox *outbox, const struct outbox_item *item)
{
	const char *words[REDIS_WORDS_MAX];
	const char *at = item->bytes;

	for (size_t i = 0; i < item->n_words; at += item->word_bytes[i++])
		words[i] = at;
	return link_send(outbox->link, on_told, NULL, (int)item->n_words, words, item->word_bytes);
}

void outbox_flush(struct outbox *outbox)
{
	while (outbox->n_sent < outbox->n && outbox->n_sent < IN_FLIGHT_MAX) {
		if (send_item(outbox, item_at(outbox, outbox->n_sent)))
			return;
		outbox->n_sent++;
	}
}

// The oldest that is not on its way already.
static void lose_one(struct outbox *outbox)
{
	free(item_at(outbox, outbox->n_sent)->bytes);
	for (size_t i = outbox->n_sent; i > 0; i--)
		*item_at(outbox, i) = *item_at(outbox, i - 1);
	outbox->first = (outbox->first + 1) % REDIS_OUTBOX_MAX;
	outbox->n--;
	outbox->n_lost++;
}

void outbox_add(struct outbox *outbox, const struct redis_word *words, size_t n)
{
	struct outbox_item item = {.n_words = n};
	size_t n_bytes = 0;

	for (size_t i = 0; i < n; i++)
		n_bytes += item.word_bytes[i] = words[i].n_bytes;
	item.bytes = malloc(n_bytes + 1);
	if (!item.bytes) {
		outbox->n_lost++;
		return;
	}
	n_bytes = 0;
	for (size_t i = 0; i < n; i++) {
		memcpy(item.bytes + n_bytes, words[i].bytes, words[i].n_bytes);
		n_bytes += words[i].n_bytes;
	}
	if (outbox->n == REDIS_OUTBOX_MAX)
		lose_one(outbox);
	*item_at(outbox, outbox->n++) = item;
	outbox_flush(outbox);
}
