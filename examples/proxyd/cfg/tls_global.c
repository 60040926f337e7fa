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

/* OpenSSL cuts records no shorter than 512 bytes. */
static void read_max_record(struct reader *r, size_t i, const char *word)
{
	unsigned *to = &r->cfg->global.tls.all.max_record;

	if (!read_number(r, i, word, 0, 16384, to) || !*to || *to >= 512)
		return;
	say(r, DIAG_WARNING, i, "records of fewer than 512 bytes are not made: they have up to 512");
	*to = 512;
}

void kw_tls_number(struct reader *r, size_t first, const void *data)
{
	struct cfg_tls_global *g = &r->cfg->global.tls;
	const char *word = word_at(r, first - 1);
	uint64_t ns;

	if (!strcmp(word, "tune.ssl.cachesize"))
		g->all.no_cache = read_number(r, first, word, 0, 10000000, &g->cache_size) && !g->cache_size;
	else if (!strcmp(word, "tune.ssl.capture-buffer-size") || !strcmp(word, "tune.ssl.capture-cipherlist-size"))
		read_number(r, first, word, 0, 16384, &g->all.capture_bytes);
	else if (!strcmp(word, "tune.ssl.ssl-ctx-cache-size")) {
		if (read_number(r, first, word, 0, 1000000, &g->all.forged_max) && !g->all.forged_max)
			g->all.forged_max = 1; /* 0 is the default */
	} else if (!strcmp(word, "tune.ssl.maxrecord") || !strcmp(word, "tune.ssl.hard-maxrecord"))
		read_max_record(r, first, word);
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

/* ssl-load-extra-files: those that are not named are not looked for. */
void kw_tls_extra_files(struct reader *r, size_t first, const void *data)
{
	static const struct {
		const char *name;
		unsigned what;
	} known[] = {{"all", TLS_EXTRA_ALL}, {"bundle", TLS_EXTRA_BUNDLE}, {"issuer", TLS_EXTRA_ISSUER}, {"key", TLS_EXTRA_KEY},
		     {"none", 0},	      {"ocsp", TLS_EXTRA_OCSP},	      {"sctl", 0}};
	unsigned wanted = 0;

	(void)data;
	for (size_t i = first; i < r->line->n; i++) {
		size_t k = 0;

		while (k < sizeof(known) / sizeof(known[0]) && strcmp(known[k].name, word_at(r, i)) != 0)
			k++;
		if (k == sizeof(known) / sizeof(known[0])) {
			say(r, DIAG_ERROR, i, "\"%s\" is no kind of file: write all, none, or any of bundle, issuer, key, ocsp, sctl", word_at(r, i));
			return;
		}
		if (!strcmp(known[k].name, "sctl"))
			say(r, DIAG_WARNING, i, "FILE.sctl is not read: certificates have their timestamps (RFC 6962) in themselves");
		wanted |= known[k].what;
	}
	r->cfg->global.tls.extra.without = TLS_EXTRA_ALL & ~wanted;
}

/* ssl-load-extra-del-ext, ssl-skip-self-issued-ca */
void kw_tls_extra(struct reader *r, size_t first, const void *data)
{
	struct tls_extra_words *x = &r->cfg->global.tls.extra;

	(void)data;
	*(!strcmp(word_at(r, first - 1), "ssl-load-extra-del-ext") ? &x->del_ext : &x->skip_self_issued) = !r->no;
}

void kw_tls_issuers(struct reader *r, size_t first, const void *data)
{
	(void)data;
	r->cfg->global.tls.extra.issuers_path = keep_word(r, first);
	r->cfg->global.tls.issuers_at = place_at(r, first);
}

/* ssl-provider, ssl-provider-path, ssl-propquery */
void kw_tls_provider(struct reader *r, size_t first, const void *data)
{
	const char *word = word_at(r, first - 1), *value = word_at(r, first);
	bool ok = !strcmp(word, "ssl-provider")	       ? tls_provider_load(value)
		  : !strcmp(word, "ssl-provider-path") ? tls_provider_path(value)
						       : tls_provider_query(value);

	(void)data;
	if (!ok)
		say(r, DIAG_ERROR, first, "OpenSSL does not take this for %s: see openssl list -providers, and provider(7)", word);
}

void cfg_tls_extra(struct reader *r)
{
	struct cfg_tls_global *g = &r->cfg->global.tls;
	const struct tls_extra_words *x = &g->extra;

	if (x->without || x->del_ext || x->skip_self_issued || x->issuers_path)
		r->no_memory |= !tls_store_set_extra(r->cfg->tls_store, x, r->diag, &g->issuers_at);
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
