/* SPDX-License-Identifier: MIT */
/*
 * Sections that are no proxies. A section of which nothing is done is read all the same, so that a slip
 * in it is found, and said once.
 */
#include "cfg/read.h"

#include <string.h>

struct section_kind {
	const char *name;
	enum diag_level level; /* of `lacks` */
	const char *lacks;     /* what is not done; NULL: all is */
	bool named;
	const struct keyword *words; /* fn NULL: read, not done */
	void (*begin)(struct reader *r);
};

static const struct keyword cache_words[] = {
    {"max-age", 0, 1, 1, NULL, NULL, "SECONDS"},
    {"max-object-size", 0, 1, 1, NULL, NULL, "BYTES"},
    {"max-secondary-entries", 0, 1, 1, NULL, NULL, "NUMBER"},
    {"process-vary", 0, 1, 1, NULL, NULL, "on|off"},
    {"total-max-size", 0, 1, 1, NULL, NULL, "MEGABYTES"},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};

static const struct keyword fcgi_words[] = {
    {"acl", 0, 2, READER_ANY, NULL, NULL, "NAME CRITERION"},
    {"docroot", 0, 1, 1, NULL, NULL, "PATH"},
    {"index", 0, 1, 1, NULL, NULL, "NAME"},
    {"log-stderr", 0, 1, READER_ANY, NULL, NULL, "global|ADDRESS"},
    {"option", 0, 1, READER_ANY, NULL, NULL, "NAME"},
    {"pass-header", 0, 1, READER_ANY, NULL, NULL, "NAME"},
    {"path-info", 0, 1, 1, NULL, NULL, "REGEX"},
    {"set-param", 0, 2, READER_ANY, NULL, NULL, "NAME FORMAT"},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};

static const struct keyword http_errors_words[] = {
    {"errorfile", 0, 2, 2, kw_errorfile, NULL, "STATUS FILE"},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};

static const struct keyword log_forward_words[] = {
    {"backlog", 0, 1, 1, kw_forward_number, "", "NUMBER"},
    {"bind", 0, 1, READER_ANY, kw_forward_bind, "", "ADDRESS:PORT"},
    {"description", 0, 1, READER_ANY, NULL, NULL, "TEXT"},
    {"dgram-bind", 0, 1, READER_ANY, kw_forward_bind, NULL, "ADDRESS:PORT"},
    {"log", 0, 0, READER_ANY, kw_log, NULL, "global, or ADDRESS FACILITY [LEVEL]"},
    {"maxconn", 0, 1, 1, kw_forward_number, NULL, "NUMBER"},
    {"timeout client", 0, 1, 1, kw_forward_timeout, NULL, "TIME"},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};

static const struct keyword mailers_words[] = {
    {"mailer", 0, 2, 2, kw_mailer, NULL, "NAME ADDRESS:PORT"},
    {"timeout mail", 0, 1, 1, kw_mail_timeout, NULL, "TIME"},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};

static const struct keyword peers_words[] = {
    {"bind", 0, 1, READER_ANY, kw_peers_bind, NULL, "ADDRESS:PORT"},
    {"default-bind", 0, 1, READER_ANY, kw_peers_bind_words, NULL, "PARAMETERS"},
    {"default-server", 0, 1, READER_ANY, kw_peers_server_words, NULL, "PARAMETERS"},
    {"disabled", 0, 0, READER_ANY, kw_peers_disabled, NULL, ""},
    {"enabled", 0, 0, READER_ANY, NULL, NULL, ""},
    {"log", 0, 1, READER_ANY, NULL, NULL, "global|ADDRESS"},
    {"peer", 0, 1, READER_ANY, kw_peer, "", "NAME ADDRESS:PORT"},
    {"server", 0, 1, READER_ANY, kw_peer, NULL, "NAME ADDRESS:PORT"},
    {"shards", 0, 1, 1, NULL, NULL, "NUMBER"},
    {"table", 0, 1, READER_ANY, kw_peers_table, NULL, "NAME type TYPE size SIZE"},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};

static const struct keyword program_words[] = {
    {"command", 0, 1, READER_ANY, NULL, NULL, "COMMAND"},
    {"group", 0, 1, 1, NULL, NULL, "NAME"},
    {"option start-on-reload", 0, 0, 0, NULL, NULL, ""},
    {"user", 0, 1, 1, NULL, NULL, "NAME"},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};

static const struct keyword resolvers_words[] = {
    {"accepted_payload_size", 0, 1, 1, kw_resolvers_number, NULL, "BYTES"},
    {"hold", 0, 2, 2, kw_hold, NULL, "STATUS TIME"},
    {"nameserver", 0, 2, 2, kw_nameserver, NULL, "NAME ADDRESS:PORT"},
    {"parse-resolv-conf", 0, 0, 0, kw_parse_resolv_conf, NULL, ""},
    {"resolve_retries", 0, 1, 1, kw_resolvers_number, "", "NUMBER"},
    {"timeout", 0, 2, 2, kw_resolvers_timeout, NULL, "resolve|retry TIME"},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};

static const struct keyword ring_words[] = {
    {"backing-file", 0, 1, 1, kw_ring_file, NULL, "FILE"},
    {"description", 0, 1, READER_ANY, kw_ring_text, NULL, "TEXT"},
    {"format", 0, 1, 1, kw_ring_format, NULL, "NAME"},
    {"maxlen", 0, 1, 1, kw_ring_bytes, NULL, "BYTES"},
    {"server", 0, 2, READER_ANY, kw_ring_server, NULL, "NAME ADDRESS:PORT [log-proto legacy|octet-count]"},
    {"size", 0, 1, 1, kw_ring_bytes, "", "BYTES"},
    {"timeout", 0, 2, 2, kw_ring_timeout, NULL, "connect|server TIME"},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};

static const struct keyword userlist_words[] = {
    {"group", 0, 1, 3, kw_group, NULL, "NAME [users NAMES]"},
    {"user", 0, 1, READER_ANY, kw_user, NULL,
     "NAME [password|insecure-password TEXT] [groups NAMES]"},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};

static const struct section_kind kinds[] = {
    {"cache", DIAG_WARNING, "has no effect: answers are not cached by this version: each request goes to a server", true, cache_words, NULL},
    {"fcgi-app", DIAG_WARNING, "has no effect: this version speaks no FastCGI", true, fcgi_words, NULL},
    {"http-errors", DIAG_WARNING, NULL, true, http_errors_words, begin_errors},
    {"log-forward", DIAG_WARNING, NULL, true, log_forward_words, begin_log_forward},
    {"mailers", DIAG_WARNING, NULL, true, mailers_words, begin_mailers},
    {"peers", DIAG_WARNING, NULL, true, peers_words, begin_peers},
    {"program", DIAG_WARNING, "has no effect: no program is started: write a unit of systemd", true, program_words,
     NULL},
    {"resolvers", DIAG_WARNING, NULL, true, resolvers_words, begin_resolvers},
    {"ring", DIAG_WARNING, NULL, true, ring_words, begin_ring},
    {"userlist", DIAG_WARNING, NULL, true, userlist_words, begin_userlist},
    {NULL, DIAG_ERROR, NULL, false, NULL, NULL},
};

const struct section_kind *find_section(const char *name)
{
	for (const struct section_kind *k = kinds; k->name; k++)
		if (begins_alike(k->name, name) && !strcmp(k->name, name))
			return k;
	return NULL;
}

void begin_other_section(struct reader *r, const struct section_kind *kind)
{
	r->section = SECTION_OTHER;
	r->other = kind;
	if (kind->named && r->line->n < 2)
		say(r, DIAG_ERROR, 0, "this section needs a name: write %s NAME", kind->name);
	else if (r->line->n > 2)
		say(r, DIAG_ERROR, 2, "\"%s\" is too much here: write %s NAME", word_at(r, 2),
		    kind->name);
	if (kind->begin)
		kind->begin(r);
	if (kind->lacks)
		say(r, kind->level, 0, "section \"%s\" is read and %s", kind->name,
		    kind->lacks);
}

void read_other_section(struct reader *r)
{
	size_t i, words;
	const struct keyword *k;

	r->no = !strcmp(word_at(r, 0), "no") && r->line->n > 1;
	i = r->no;
	k = find_keyword(r, r->other->words, i, &words);
	if (!k) {
		const char *name[64];
		size_t n = 0;

		for (k = r->other->words; k->name && n < 63; k++)
			name[n++] = k->name;
		name[n] = NULL;
		say_unknown(r, i, "word of this section", name, NULL);
	} else if (check_count(r, k, i, i + words) && k->fn) {
		k->fn(r, i + words, k->data);
	}
}
