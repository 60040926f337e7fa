/* SPDX-License-Identifier: MIT */
/*
 * "new|set|commit|abort|del|show ssl cert|ca-file|crl-file", "add ssl ca-file". What is set waits in a transaction, one for each of the three kinds, until
 * it is committed; the words of the answers are those that scripts (acme.sh) look for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "tls_change.h"

static const struct kind_words {
	const char *word;	/* behind "ssl" */
	const char *created;	/* by "new" */
	const char *title;	/* "… already exists" */
	const char *noun;	/* "can't remove the …" */
	const char *transaction, *about; /* "… created for …" */
	const char *contents;
} kinds[TLS_KINDS] = {
    [TLS_CERT] = {"cert", "New empty certificate store", "Certificate", "certificate", "Transaction", "certificate", "a certificate"},
    [TLS_CA] = {"ca-file", "New CA file created", "CA file", "CA file", "transaction", "CA", "CAs"},
    [TLS_CRL] = {"crl-file", "New CRL file created", "CRL file", "CRL file", "transaction", "CRL", "CRLs"},
};

static enum tls_kind kind_of(const struct call *c)
{
	return !strcmp(c->word[-1], "cert") ? TLS_CERT : !strcmp(c->word[-1], "ca-file") ? TLS_CA : TLS_CRL;
}

/* The name of a file, the only word. NULL: told. */
static const char *one_file(struct call *c, const char *verb)
{
	if (c->n == 1 && *c->word[0])
		return c->word[0];
	call_say(c, "'%s ssl %s' expects a filename\n", verb, kinds[kind_of(c)].word);
	return NULL;
}

void run_new_ssl_file(struct call *c)
{
	const struct kind_words *w = &kinds[kind_of(c)];
	const char *file = one_file(c, "new");
	struct tls_item *item;

	if (!file)
		return;
	if (tls_store_find(tls_change_store(c), kind_of(c), file)) {
		call_say(c, "%s '%s' already exists!\n", w->title, file);
		return;
	}
	item = tls_item_new(kind_of(c), file);
	if (item && tls_store_put(tls_change_store(c), item) == 0)
		call_note(c, LOG_NOTICE, "%s '%s'!\n", w->created, file);
	else
		call_say(c, "There is not memory enough.\n");
	tls_item_free(item);
}

/* The one of this name; of a certificate also by the name of a file beside it, whose suffix is *ret_part. */
static struct tls_item *find(struct call *c, const char *file, const char **ret_part)
{
	static const char *const part[] = {".key", ".issuer", ".ocsp"};
	struct tls_item *item = tls_store_find(tls_change_store(c), kind_of(c), file);
	size_t len = strlen(file);

	*ret_part = "";
	for (size_t i = 0; !item && kind_of(c) == TLS_CERT && i < sizeof(part) / sizeof(part[0]); i++) {
		size_t n = strlen(part[i]);
		char *name;

		if (len <= n || strcmp(file + len - n, part[i]) != 0 || !(name = strndup(file, len - n)))
			continue;
		item = tls_store_find(tls_change_store(c), TLS_CERT, name);
		*ret_part = part[i];
		free(name);
	}
	return item;
}

/* Is the transaction, if there is one, about another file? Then that is told. */
static bool is_other(struct call *c, const struct tls_item *open, const char *file, const char *what)
{
	if (!open || !strcmp(tls_item_file(open), file))
		return false;
	call_say(c, "The ongoing transaction is about '%s' but you are trying to %s '%s'\n", tls_item_file(open), what, file);
	return true;
}

void run_set_ssl_file(struct call *c)
{
	const struct kind_words *w = &kinds[kind_of(c)];
	struct tls_store *store = tls_change_store(c);
	struct tls_item *open = tls_store_open(store, kind_of(c)), *before, *item;
	const char *file = call_word(c, 0), *part;
	char why[512];

	if (c->n != 1 || !c->payload) {
		call_say(c, "'%s ssl %s expects a filename and %s as a payload\n", c->word[-3], w->word, w->contents);
		return;
	}
	if (kind_of(c) != TLS_CERT && is_other(c, open, file, "set")) {
		call_say(c, "Can't update %s!\n", file);
		return;
	}
	before = find(c, file, &part);
	if (!before) {
		call_say(c, "Can't replace a %s which is not referenced by the configuration!\nCan't update %s!\n", w->noun, file);
		return;
	}
	if (is_other(c, open, tls_item_file(before), "set")) {
		call_say(c, "Can't update %s!\n", file);
		return;
	}
	if (!strcmp(c->word[-3], "add"))
		item = tls_item_add(open ? open : before, c->payload, why, sizeof(why));
	else
		item = tls_item_parse(open ? open : before, part, c->payload, why, sizeof(why));
	if (!item) {
		call_say(c, "unable to load %s from file '%s': %s.\n%s\nCan't update %s!\n", w->noun, file, why,
			 kind_of(c) == TLS_CERT ? "Can't load the payload" : "Invalid payload", file);
		return;
	}
	tls_store_set_open(store, kind_of(c), item);
	call_note(c, LOG_NOTICE, "%s %s for %s %s!\n", w->transaction, open ? "updated" : "created", w->about, tls_item_file(item));
}

void run_commit_ssl_file(struct call *c)
{
	struct tls_store *store = tls_change_store(c);
	struct tls_item *open = tls_store_open(store, kind_of(c));
	const char *file = one_file(c, "commit");
	char why[512] = "";
	int n = -1;

	if (!file)
		return;
	if (!open) {
		call_say(c, "No ongoing transaction! !\n");
	} else if (!is_other(c, open, file, "set")) {
		if (tls_item_is_whole(open, why, sizeof(why)))
			n = tls_change_item(c, open);
		call_say(c, "%s", why);
	}
	if (n < 0) {
		call_say(c, "Can't commit %s!\n", file);
		return;
	}
	tls_store_set_open(store, kind_of(c), NULL);
	call_note(c, CALL_TEXT, "Committing %s", file);
	while (n--)
		out_text(c->out, ".");
	call_say(c, "\nSuccess!\n");
}

void run_abort_ssl_file(struct call *c)
{
	struct tls_store *store = tls_change_store(c);
	struct tls_item *open = tls_store_open(store, kind_of(c));
	const char *file = one_file(c, "abort");

	if (!file)
		return;
	if (!open) {
		call_say(c, "No ongoing transaction!\n");
	} else if (!is_other(c, open, file, "abort a transaction for")) {
		call_note(c, LOG_NOTICE, "Transaction aborted for certificate '%s'!\n", file);
		tls_store_set_open(store, kind_of(c), NULL);
	}
}

void run_del_ssl_file(struct call *c)
{
	const struct kind_words *w = &kinds[kind_of(c)];
	struct tls_store *store = tls_change_store(c);
	const struct tls_item *open = tls_store_open(store, kind_of(c));
	const char *file = one_file(c, "del");

	if (!file)
		return;
	if (!tls_store_find(store, kind_of(c), file)) {
		call_say(c, "Can't remove the %s: %s '%s' doesn't exist!\n", w->noun, w->noun, file);
	} else if (open && !strcmp(tls_item_file(open), file)) {
		call_say(c, "Can't remove the %s: ongoing transaction for the %s '%s'\n", w->noun, w->noun, file);
	} else if (tls_change_is_used(c, kind_of(c), file)) {
		call_say(c, "Can't remove the %s: %s '%s' in use, can't be deleted!\n", w->noun, w->noun, file);
	} else {
		tls_store_remove(store, kind_of(c), file);
		call_note(c, LOG_NOTICE, "%s '%s' deleted!\n", w->title, file);
	}
}

/* ---- show ---- */

static void put_line(void *arg, const struct tls_item *item)
{
	struct out *o = arg;

	out_text(o, tls_item_file(item));
	if (tls_item_kind(item) == TLS_CA)
		out_printf(o, " - %u certificate(s)", tls_item_count(item));
	out_text(o, "\n");
}

static void put_item(struct call *c, const struct tls_item *item, bool is_open, unsigned number)
{
	bool used = !is_open && tls_change_is_used(c, tls_item_kind(item), tls_item_file(item));
	char *text = tls_item_text(item, number);

	out_text(c->out, is_open ? "Filename: *" : "Filename: ");
	out_text(c->out, tls_item_file(item));
	out_text(c->out, tls_item_is_empty(item) ? "\nStatus: Empty\n" : used ? "\nStatus: Used\n" : "\nStatus: Unused\n");
	out_text(c->out, text ? text : "There is not memory enough.\n");
	free(text);
}

/* FILE, *FILE for the open transaction; of authorities and revocations FILE:NUMBER, too. */
static const struct tls_item *look(const struct call *c, const char *file, bool *ret_open, unsigned *ret_number)
{
	const struct tls_store *store = tls_change_store(c);
	const struct tls_item *open = tls_store_open(store, kind_of(c)), *item;
	const char *colon = strrchr(file, ':');
	char *end, *name;

	*ret_number = 0;
	*ret_open = *file == '*';
	file += *ret_open;
	for (int with_number = 0; with_number < 2; with_number++) {
		unsigned long n = 0;

		if (with_number && (kind_of(c) == TLS_CERT || !colon))
			break;
		if (with_number && ((n = strtoul(colon + 1, &end, 10)) == 0 || *end || n > UINT32_MAX))
			break;
		name = strndup(file, with_number ? (size_t)(colon - file) : strlen(file));
		if (!name)
			break;
		if (*ret_open)
			item = open && !strcmp(tls_item_file(open), name) ? open : NULL;
		else
			item = tls_store_find(store, kind_of(c), name);
		free(name);
		*ret_number = (unsigned)n;
		if (item && n <= tls_item_count(item))
			return item;
	}
	return NULL;
}

void run_show_ssl_file(struct call *c)
{
	const struct tls_item *open = tls_store_open(tls_change_store(c), kind_of(c)), *item;
	unsigned number;
	bool is_open;

	if (!c->n) {
		if (open) {
			out_text(c->out, "# transaction\n*");
			put_line(c->out, open);
		}
		out_text(c->out, "# filename\n");
		tls_store_each(tls_change_store(c), kind_of(c), put_line, c->out);
		return;
	}
	item = look(c, c->word[0], &is_open, &number);
	if (item && c->n == 1)
		put_item(c, item, is_open, number);
	else if (kind_of(c) == TLS_CERT)
		call_say(c, "Can't display the certificate: Not found or the certificate is a bundle!\n");
	else
		call_say(c, "Can't display the %s : Not found!\n", kinds[kind_of(c)].noun);
}

void run_show_ssl_providers(struct call *c)
{
	char *text = tls_providers_text();

	out_text(c->out, "Loaded providers : \n");
	out_text(c->out, text ? text : "");
	free(text);
}
