/* SPDX-License-Identifier: MIT */
/* The global section's words about TLS. */
#include "cfg/read.h"

#include <string.h>

void kw_tls_base(struct reader *r, size_t first, const void *data)
{
	struct cfg_tls_global *g = &r->cfg->global.tls;

	*(word_at(r, first - 1)[1] == 'a' ? &g->ca_base : &g->crt_base) = keep_word(r, first);
}

/* "ssl-default-bind-ciphers", "ssl-default-server-options …" */
void kw_tls_default(struct reader *r, size_t first, const void *data)
{
	const char *word = word_at(r, first - 1) + strlen("ssl-default-"),
		   *what = strchr(word, '-') + 1;
	struct tls_settings *s =
	    *word == 'b' ? &r->cfg->global.tls.bind : &r->cfg->global.tls.server;
	size_t i = first;

	if (strcmp(what, "options") != 0) {
		tls_set_word(r, s, what, first);
		return;
	}
	while (i < r->line->n)
		i += tls_set_word(r, s, word_at(r, i), i + 1) ? 2 : 1;
}

void kw_tls_number(struct reader *r, size_t first, const void *data)
{
	struct cfg_tls_global *g = &r->cfg->global.tls;
	const char *word = word_at(r, first - 1);
	uint64_t ns;

	if (!strcmp(word, "tune.ssl.cachesize"))
		read_number(r, first, word, 0, 10000000, &g->cache_size);
	else if (!strcmp(word, "tune.ssl.capture-buffer-size") || !strcmp(word, "tune.ssl.capture-cipherlist-size"))
		read_number(r, first, word, 0, 16384, &g->all.capture_bytes);
	else if (!strcmp(word, "tune.ssl.ssl-ctx-cache-size")) {
		if (read_number(r, first, word, 0, 1000000, &g->all.forged_max) && !g->all.forged_max)
			g->all.forged_max = 1; /* 0 is the default */
	} else if (!strcmp(word, "tune.ssl.maxrecord"))
		read_number(r, first, word, 0, 16384, &g->all.max_record);
	else if (!strcmp(word, "tune.ssl.lifetime")) {
		const char *text = word_at(r, first);

		if (!text[strspn(text, "0123456789")]) /* without a unit it is seconds */
			read_number(r, first, word, 1, 100000000, &g->all.lifetime_s);
		else if (read_time(r, first, word, &ns))
			g->all.lifetime_s = (unsigned)(ns / UINT64_C(1000000000));
	} else if (read_number(r, first, word, 1024, 16384, &g->all.dh_bits) &&
		   g->all.dh_bits < 2048) {
		say(r, DIAG_WARNING, first,
		    "fewer than 2048 bits are not safe (and OpenSSL refuses them): 2048 are used");
		g->all.dh_bits = 2048;
	}
}

void kw_tls_keylog(struct reader *r, size_t first, const void *data)
{
	bool on = !strcmp(word_at(r, first), "on");

	r->cfg->global.tls.all.keeps_secrets = on;
	if (!on && strcmp(word_at(r, first), "off") != 0)
		say(r, DIAG_ERROR, first, "write on or off");
}

void kw_tls_dh(struct reader *r, size_t first, const void *data)
{
	r->cfg->global.tls.all.dh_file = keep_word(r, first);
}

void kw_tls_server_verify(struct reader *r, size_t first, const void *data)
{
	bool none = !strcmp(word_at(r, first), "none");

	r->cfg->global.tls.servers_unverified = none;
	if (!none && strcmp(word_at(r, first), "required") != 0)
		say(r, DIAG_ERROR, first, "write none or required");
}
