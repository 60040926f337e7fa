/* SPDX-License-Identifier: MIT */
/* OCSP answers that are stapled. */
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "tls_change.h"

struct certs {
	struct tls_item **at; /* references */
	size_t n, cap;
	bool no_memory;
};

static void add(void *arg, const struct tls_item *item)
{
	struct certs *all = arg;

	if (all->n == all->cap) {
		size_t cap = all->cap ? 2 * all->cap : 64;
		struct tls_item **more = realloc(all->at, cap * sizeof(struct tls_item *));

		if (!more) {
			all->no_memory = true;
			return;
		}
		all->at = more;
		all->cap = cap;
	}
	all->at[all->n++] = tls_item_hold((struct tls_item *)(uintptr_t)item);
}

/* All, for they may change meanwhile. */
static struct certs collect(struct call *c)
{
	struct certs all = {0};

	tls_store_each(tls_change_store(c), TLS_CERT, add, &all);
	if (all.no_memory)
		call_say(c, "There is not memory enough.\n");
	return all;
}

static void forget(struct certs *all)
{
	for (size_t i = 0; i < all->n; i++)
		tls_item_free(all->at[i]);
	free(all->at);
}

/* Puts `text` and frees it. */
static void put(struct call *c, char *text)
{
	out_text(c->out, text ? text : "There is not memory enough.\n");
	free(text);
}

void run_show_ssl_ocsp(struct call *c)
{
	struct certs all = collect(c);
	bool found = false;

	if (!c->n)
		out_text(c->out, "# Certificate IDs\n");
	for (size_t i = 0; i < all.n && !found; i++) {
		char *id;

		if (!c->n) {
			put(c, tls_item_ocsp_line(all.at[i]));
			continue;
		}
		id = tls_item_ocsp_id(all.at[i]);
		found = id && *id && !strcmp(id, c->word[0]);
		free(id);
		if (found)
			put(c, tls_item_ocsp_text(all.at[i]));
	}
	if (c->n && !found)
		call_say(c, "Certificate ID does not match any certificate.\n");
	forget(&all);
}

/* To all certificates that it is about; HAProxy wants that one was there before, this does not. */
static void staple(struct call *c, const unsigned char *der, size_t len)
{
	struct certs all = collect(c);
	unsigned n_taken = 0;
	char why[256] = "";
	int e = 0;

	for (size_t i = 0; i < all.n && !e; i++) {
		struct tls_item *with;

		e = tls_item_with_ocsp(all.at[i], der, len, &with, why, sizeof(why));
		if (e || !with)
			continue;
		if (tls_change_item(c, with) < 0)
			e = -1;
		else
			n_taken++;
		tls_item_free(with);
	}
	if (e)
		call_say(c, "%s", why);
	else if (!n_taken)
		call_say(c, "OCSP single response: Certificate ID does not match any certificate or issuer.\n");
	else
		call_note(c, LOG_INFO, "OCSP Response updated!\n");
	forget(&all);
}

void run_set_ssl_ocsp(struct call *c)
{
	const char *text = c->payload ? c->payload : call_word(c, 0);
	unsigned char *der;
	size_t len;

	if (!*text || c->n > 1) {
		call_say(c, "'set ssl ocsp-response' expects response in base64 encoding.\n");
		return;
	}
	len = tls_base64(text, &der);
	if (len)
		staple(c, der, len);
	else
		call_say(c, "'set ssl ocsp-response' received invalid base64 encoded response.\n");
	free(der);
}
