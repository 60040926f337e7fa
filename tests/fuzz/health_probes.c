/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: each probe reads any answer. An input is a URL (libhealth/url.h) and a line feed, a byte for how
 * the server ends, one for the size of the pieces, and the server's bytes. Held: however an answer is cut, the
 * verdict is the same.
 */
#include <stdint.h>

#include "examples/adapters/health_foreign.h"
#include "tests/support/talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The probe of the URL in the first line, which is taken; NULL: there is none. */
static struct health_probe *take_probe(const uint8_t **data, size_t *len, bool *ret_cuts_matter)
{
	const uint8_t *end = memchr(*data, '\n', *len);
	struct health_url u = {.size = sizeof(u)};
	char url[HEALTH_URL_MAX + 2], error[HEALTH_TEXT_MAX];
	size_t size = end ? (size_t)(end - *data) : 0;

	if (!end || size >= sizeof(url))
		return NULL;
	memcpy(url, *data, size);
	url[size] = '\0';
	*data = end + 1;
	*len -= size + 1;
	/* "$" is the end of what has come so far, so an expression may depend on the pieces */
	*ret_cuts_matter = strstr(url, "regex");
	return health_url_parse(url, &health_foreign, &u, error) == 0 ? u.probe : NULL;
}

static void compare(const struct talk *whole, const struct talk *pieces)
{
	if (whole->io.verdict != pieces->io.verdict || whole->io.code != pieces->io.code ||
	    whole->io.status != pieces->io.status || whole->sent_len != pieces->sent_len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct talk whole, pieces;
	struct health_probe *p;
	enum talk_end end;
	bool cuts_matter;
	size_t chunk;

	if (!len)
		return 0;
	p = take_probe(&data, &len, &cuts_matter);
	if (!p || len < 2) {
		health_probe_free(p);
		return 0;
	}
	end = (enum talk_end)(data[0] % 3);
	chunk = p->ops.flags & HEALTH_PROBE_DATAGRAM ? 0 : 1u + data[1];
	talk(&whole, p, data + 2, len - 2, 0, end);
	talk(&pieces, p, data + 2, len - 2, chunk, end);
	if (!cuts_matter && !whole.reopened && !pieces.reopened)
		compare(&whole, &pieces);
	if (memchr(whole.io.text, 0, sizeof(whole.io.text)) == NULL)
		abort();
	health_probe_free(p);
	return 0;
}
