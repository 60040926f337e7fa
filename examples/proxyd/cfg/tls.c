/* SPDX-License-Identifier: MIT */
/* TLS on `bind` and `server` lines: their words, and what becomes of them when all files are read. */
#include "cfg/read.h"
#include "rules/expr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST_LINE_MAX 65536 /* of a crt-list, as HAProxy's */
#define LIST_WORDS_MAX 1024

/* ---- Values ---- */

static uint16_t version_of(const char *text)
{
	static const char *const name[] = {"SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"};

	for (unsigned i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		if (!strcmp(text, name[i]))
			return (uint16_t)(TLS_V_SSL3 + i);
	return 0;
}

/* "no-tlsv12", "force-tlsv12": the word behind the first hyphen. */
static uint16_t version_word(const char *word)
{
	static const char *const name[] = {"sslv3", "tlsv10", "tlsv11", "tlsv12", "tlsv13"};
	const char *text = strchr(word, '-') ? strchr(word, '-') + 1 : word;

	for (unsigned i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		if (!strcmp(text, name[i]))
			return (uint16_t)(TLS_V_SSL3 + i);
	return 0;
}

static bool read_errors(const char *text, struct tls_errors *ret)
{
	while (*text) {
		char *end;
		unsigned long n;

		if (!strcmp(text, "all")) {
			ret->all = true;
			return true;
		}
		n = strtoul(text, &end, 10);
		if (end == text || n > 127 || (*end && *end != ','))
			return false;
		ret->bits[n / 64] |= UINT64_C(1) << (n % 64);
		text = end + (*end == ',');
	}
	return true;
}

/*
 * Words that bind, server, crt-list lines and the defaults have in common; the value is "" for those without
 * one. False: it is none of them, or *ret_error says what is wrong.
 */
static bool set_word(struct tls_settings *s, const char *word, const char *value,
		     const char **ret_error)
{
	const struct {
		const char *name, **to;
	} texts[] = {
	    {"alpn", &s->alpn},
	    {"ca-file", &s->ca_file},
	    {"ca-path", &s->ca_file}, /* a folder, which ca-file may be as well */
	    {"ca-verify-file", &s->ca_verify_file},
	    {"ciphers", &s->ciphers},
	    {"ciphersuites", &s->ciphersuites},
	    {"crl-file", &s->crl_file},
	    {"curves", &s->curves},
	    {"ecdhe", &s->curves},
	    {"tls-ticket-keys", &s->ticket_keys},
	};

	*ret_error = NULL;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strcmp(word, texts[i].name)) {
			*texts[i].to = value;
			return true;
		}
	if (!strcmp(word, "no-tls-tickets")) {
		s->no_tickets = true;
	} else if (!strcmp(word, "tls-tickets")) {
		s->no_tickets = false;
	} else if (!strcmp(word, "prefer-client-ciphers")) {
		s->prefer_client_ciphers = true;
	} else if (!strcmp(word, "no-ca-names")) {
		s->no_ca_names = true;
	} else if (!strcmp(word, "no-alpn")) {
		s->alpn = "";
	} else if (!strncmp(word, "no-", 3) && version_word(word)) {
		s->off_versions |= (uint8_t)(1u << (version_word(word) & 7));
	} else if (!strncmp(word, "force-", 6) && version_word(word)) {
		s->min_version = s->max_version = version_word(word);
	} else if (!strcmp(word, "ssl-min-ver") || !strcmp(word, "ssl-max-ver")) {
		uint16_t v = version_of(value);

		if (!v)
			*ret_error = "there is no such version: write SSLv3, TLSv1.0, TLSv1.1, "
				     "TLSv1.2 or TLSv1.3";
		else if (word[5] == 'i')
			s->min_version = v;
		else
			s->max_version = v;
	} else if (!strcmp(word, "verify")) {
		s->verify = !strcmp(value, "none")	 ? TLS_VERIFY_NONE
			    : !strcmp(value, "optional") ? TLS_VERIFY_OPTIONAL
			    : !strcmp(value, "required") ? TLS_VERIFY_REQUIRED
							 : TLS_VERIFY_UNSET;
		if (s->verify == TLS_VERIFY_UNSET)
			*ret_error = "write none, optional or required";
	} else if (!strcmp(word, "crt-ignore-err") || !strcmp(word, "ca-ignore-err")) {
		if (!read_errors(value, word[1] == 'r' ? &s->forgive_cert : &s->forgive_ca))
			*ret_error = "write all, or numbers of OpenSSL's verify errors with "
				     "commas, such as 10,20";
	} else {
		return false;
	}
	return !*ret_error;
}

static bool has_value(const char *word)
{
	return strncmp(word, "no-", 3) != 0 && strncmp(word, "force-", 6) != 0 &&
	       strcmp(word, "tls-tickets") != 0 && strcmp(word, "prefer-client-ciphers") != 0;
}

bool tls_set_word(struct reader *r, struct tls_settings *s, const char *word, size_t value)
{
	const char *error, *text = has_value(word) ? keep_word(r, value) : "";

	if (has_value(word) && !*text)
		say(r, DIAG_ERROR, value, "\"%s\" needs a value", word);
	else if (!set_word(s, word, text, &error))
		say(r, DIAG_ERROR, value - !error, "\"%s\": %s", word,
		    error ? error : "there is no such TLS option");
	return has_value(word);
}

/* ---- bind ---- */

static struct cfg_tls *words_of_bind(struct reader *r, struct cfg_bind *b, size_t i)
{
	if (b->tls_words)
		return b->tls_words;
	b->tls_words = keep(r, sizeof(*b->tls_words));
	if (!b->tls_words)
		return NULL;
	b->tls_words->at = place_at(r, i);
	STAILQ_INIT(&b->tls_words->crts);
	return b->tls_words;
}

static void add_crt(struct reader *r, struct cfg_tls *t, size_t i)
{
	struct cfg_tls_crt *c = keep(r, sizeof(*c));

	if (!c)
		return;
	c->at = place_at(r, i + 1);
	c->path = keep_word(r, i + 1);
	c->is_list = !strcmp(word_at(r, i), "crt-list");
	STAILQ_INSERT_TAIL(&t->crts, c, next);
}

/* Certificates made on the fly. */
static void bind_sign(struct reader *r, struct cfg_tls *t, size_t i)
{
	const char *word = word_at(r, i);

	if (*word == 'g')
		t->generates = true;
	else
		*(!strcmp(word, "ca-sign-file") ? &t->sign_file : &t->sign_pass) = keep_word(r, i + 1);
	if (!t->sign_at.line || !strcmp(word, "ca-sign-file"))
		t->sign_at = place_at(r, *word == 'g' ? i : i + 1);
}

void bind_tls(struct reader *r, size_t i, void *target)
{
	struct cfg_tls *t = words_of_bind(r, target, i);
	const char *word = word_at(r, i);

	if (!t)
		return;
	if (!strcmp(word, "ssl"))
		t->on = true;
	else if (!strcmp(word, "strict-sni"))
		t->strict_sni = true;
	else if (!strcmp(word, "generate-certificates") || !strncmp(word, "ca-sign-", 8))
		bind_sign(r, t, i);
	else if (!strcmp(word, "crt") || !strcmp(word, "crt-list"))
		add_crt(r, t, i);
	else
		tls_set_word(r, &t->set, word, i + 1);
}

void bind_tls_refused(struct reader *r, size_t i, void *target)
{
	const char *word = word_at(r, i);

	if (!strcmp(word, "npn"))
		say(r, DIAG_NOTICE, i,
		    "\"npn\" was removed from TLS: clients ask by ALPN; write alpn instead");
	else
		say(r, DIAG_WARNING, i,
		    "early data (0-RTT) is not taken by this version: clients send it again after "
		    "the handshake");
}

/* ---- server ---- */

/* A line's own copy of what its default-server says. */
static struct cfg_tls *words_of_server(struct reader *r, struct cfg_server *s, size_t i)
{
	const struct cfg_tls *from = s->tls_words;
	bool is_own =
	    from && from->at.line == place_at(r, i).line && from->at.file == place_at(r, i).file;

	if (is_own)
		return s->tls_words;
	s->tls_words = keep(r, sizeof(*s->tls_words));
	if (!s->tls_words)
		return NULL;
	if (from)
		*s->tls_words = *from;
	s->tls_words->at = place_at(r, i);
	return s->tls_words;
}

void server_tls(struct reader *r, size_t i, void *target)
{
	struct cfg_tls *t = words_of_server(r, target, i);
	const char *word = word_at(r, i);

	if (!t)
		return;
	if (!strcmp(word, "ssl") || !strcmp(word, "no-ssl"))
		t->on = *word == 's';
	else if (!strcmp(word, "ssl-reuse") || !strcmp(word, "no-ssl-reuse"))
		t->no_reuse = *word == 'n';
	else if (!strcmp(word, "check-ssl"))
		t->check_on = !(t->check_off = false);
	else if (!strcmp(word, "no-check-ssl"))
		t->check_off = !(t->check_on = false);
	else if (!strcmp(word, "crt"))
		t->crt = keep_word(r, i + 1);
	else if (!strcmp(word, "sni"))
		t->sni = keep_word(r, i + 1);
	else if (!strcmp(word, "verifyhost"))
		t->verify_host = keep_word(r, i + 1);
	else if (!strcmp(word, "check-sni"))
		t->check_sni = keep_word(r, i + 1);
	else if (!strcmp(word, "check-alpn"))
		t->check_alpn = keep_word(r, i + 1);
	else
		tls_set_word(r, &t->set, word, i + 1);
	if (t->set.verify == TLS_VERIFY_OPTIONAL)
		say(r, DIAG_ERROR, i + 1, "\"verify\" of a server: write none or required");
}

/* ---- Files ---- */

static const char *with_base(struct cfg *c, const char *base, const char *file, const char *path)
{
	char full[4096];

	if (!path || *path == '/' || *path == '@')
		return path;
	if (base) {
		snprintf(full, sizeof(full), "%s/%s", base, path);
		path = cfg_strdup(c, full);
	}
	return cfg_path(c, file, path);
}

static void place_files(struct cfg *c, const char *file, struct tls_settings *s)
{
	const struct cfg_tls_global *g = &c->global.tls;

	s->ca_file = with_base(c, g->ca_base, file, s->ca_file);
	s->ca_verify_file = with_base(c, g->ca_base, file, s->ca_verify_file);
	s->crl_file = with_base(c, g->ca_base, file, s->crl_file);
	s->ticket_keys = cfg_path(c, file, s->ticket_keys);
}

/* What a line does not say, the global section may. */
static void inherit(struct tls_settings *s, const struct tls_settings *from)
{
	if (!s->ciphers)
		s->ciphers = from->ciphers;
	if (!s->ciphersuites)
		s->ciphersuites = from->ciphersuites;
	if (!s->curves)
		s->curves = from->curves;
	if (!s->alpn)
		s->alpn = from->alpn;
	if (!s->ca_file)
		s->ca_file = from->ca_file;
	if (!s->ca_verify_file)
		s->ca_verify_file = from->ca_verify_file;
	if (!s->crl_file)
		s->crl_file = from->crl_file;
	if (!s->min_version)
		s->min_version = from->min_version;
	if (!s->max_version)
		s->max_version = from->max_version;
	if (s->verify == TLS_VERIFY_UNSET)
		s->verify = from->verify;
	if (!s->forgive_cert.all && !s->forgive_cert.bits[0] && !s->forgive_cert.bits[1])
		s->forgive_cert = from->forgive_cert;
	if (!s->forgive_ca.all && !s->forgive_ca.bits[0] && !s->forgive_ca.bits[1])
		s->forgive_ca = from->forgive_ca;
	s->off_versions |= from->off_versions;
	s->no_tickets |= from->no_tickets;
	s->prefer_client_ciphers |= from->prefer_client_ciphers;
	s->no_ca_names |= from->no_ca_names;
}

/*
 * HTTP/2 is not spoken yet: h2 is not offered, and who wants both gets http/1.1. In mode tcp it is the server
 * that speaks, so all is offered.
 */
static void without_h2(struct reader *r, const struct cfg_proxy *p, struct tls_settings *s,
		       const struct diag_place *at)
{
	char list[256] = "", copy[256], *save = NULL;
	bool has = false;

	if (!s->alpn || p->set.mode == CFG_MODE_TCP || strlen(s->alpn) >= sizeof(copy))
		return;
	memcpy(copy, s->alpn, strlen(s->alpn) + 1);
	for (char *one = strtok_r(copy, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
		if (!strcmp(one, "h2")) {
			has = true;
			continue;
		}
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", *list ? "," : "",
			 one);
	}
	if (!has)
		return;
	s->alpn = cfg_strdup(r->cfg, *list ? list : "http/1.1");
	if (!r->told_h2)
		diag_add(r->diag, DIAG_NOTICE, at,
			 "HTTP/2 is not spoken by this version: \"h2\" is not offered, clients "
			 "take http/1.1");
	r->told_h2 = true;
}

static bool is_alpn(const char *list)
{
	size_t total = 0;

	if (!list)
		return true;
	for (const char *at = list; *at;) {
		size_t n = strcspn(at, ",");

		total += n + 1;
		at += n + (at[n] == ',');
	}
	return total <= TLS_ALPN_MAX;
}

/* ---- Reload ---- */

static bool is_allowed(const struct stat *st, long uid, long gid, unsigned bit)
{
	unsigned shift = st->st_uid == (uid_t)uid ? 6 : st->st_gid == (gid_t)gid ? 3 : 0;

	return st->st_mode >> shift & bit;
}

/* By the modes of the file and of the folders on the way. */
static bool is_readable_by(const char *path, long uid, long gid)
{
	char part[4096];
	struct stat st;

	if ((size_t)snprintf(part, sizeof(part), "%s", path) >= sizeof(part) ||
	    stat(part, &st) < 0 || !is_allowed(&st, uid, gid, 4))
		return false;
	for (char *slash = strrchr(part, '/'); slash && slash > part; slash = strrchr(part, '/')) {
		*slash = '\0';
		if (stat(part, &st) < 0 || !is_allowed(&st, uid, gid, 1))
			return false;
	}
	return true;
}

/* HAProxy reads certificates as root; a reload here reads them as the user that the workers are. */
static void check_reload(struct reader *r, const char *path, const struct diag_place *at)
{
	const struct cfg_global *g = &r->cfg->global;
	struct stat st;

	if (geteuid() != 0 || g->uid <= 0 || !path || stat(path, &st) < 0 ||
	    is_readable_by(path, g->uid, g->gid))
		return;
	diag_add(
	    r->diag, DIAG_WARNING, at,
	    "%s: root can read this, the user of the global section cannot: a reload (HUP) will "
	    "fail; let its group read it (chgrp, chmod g+r, and g+x for the folder), or restart "
	    "with -sf instead",
	    path);
}

/* ---- crt-list ---- */

struct list_reader {
	struct reader *r;
	const struct cfg_proxy *proxy;
	const struct cfg_tls *line;
	const char *list;      /* its name */
	const char *line_file; /* that the `bind` line is in */
	struct diag_place at;
	struct tls_source *source;
	unsigned n, cap;
};

static bool push(struct list_reader *l, const struct tls_source *s)
{
	if (l->n == l->cap) {
		unsigned cap = l->cap ? 2 * l->cap : 8;
		struct tls_source *more = realloc(l->source, cap * sizeof(*more));

		if (!more) {
			l->r->no_memory = true;
			return false;
		}
		l->source = more;
		l->cap = cap;
	}
	l->source[l->n++] = *s;
	return true;
}

/* Between [ and ]: pairs of words. False: said. */
static bool list_options(struct list_reader *l, char *const *word, size_t n, struct tls_settings *s)
{
	static const char *const alone[] = {"no-alpn", "no-ca-names", "allow-0rtt", NULL};

	for (size_t i = 0; i < n; i++) {
		const char *error = NULL, *value = "";
		bool is_alone = false;

		for (size_t k = 0; alone[k]; k++)
			is_alone |= !strcmp(word[i], alone[k]);
		if (!strcmp(word[i], "allow-0rtt"))
			continue;
		if (!is_alone && i + 1 < n)
			value = cfg_strdup(l->r->cfg, word[i + 1]);
		if (!strcmp(word[i], "npn")) {
			i++;
			continue;
		}
		if (!value || !set_word(s, word[i], value, &error)) {
			diag_add(l->r->diag, DIAG_ERROR, &l->at, "\"%s\" in brackets: %s", word[i],
				 error ? error : "HAProxy has no such word in a crt-list");
			return false;
		}
		i += !is_alone;
	}
	return true;
}

static size_t split(char *text, char *word[LIST_WORDS_MAX])
{
	size_t n = 0;
	char *save = NULL;

	for (char *w = strtok_r(text, " \t\r\n", &save); w && n < LIST_WORDS_MAX;
	     w = strtok_r(NULL, " \t\r\n", &save))
		word[n++] = w;
	return n;
}

/* What stands in brackets, on top of what the `bind` line says. NULL: said. */
static struct tls_settings *list_settings(struct list_reader *l, char *text)
{
	struct tls_settings *own = keep(l->r, sizeof(*own));
	char *word[LIST_WORDS_MAX];
	size_t n = split(text, word);

	if (!own || !list_options(l, word, n, own))
		return NULL;
	place_files(l->r->cfg, l->line_file, own); /* the line's have their places */
	inherit(own, &l->line->set);
	without_h2(l->r, l->proxy, own, &l->at);
	if (own->verify <= TLS_VERIFY_NONE || own->ca_file)
		return own;
	diag_add(l->r->diag, DIAG_ERROR, &l->at,
		 "clients are to be verified, and no authority is named: write ca-file FILE");
	return NULL;
}

/* FILE [WORD VALUE …] NAME … */
static void list_line(struct list_reader *l, char *line)
{
	char *path = line + strspn(line, " \t\r\n"), *rest = path + strcspn(path, " \t\r\n"),
	     *word[LIST_WORDS_MAX], *end;
	struct tls_source s = {.at = l->at, .list = l->list, .number = l->at.line};
	const char **filter;
	size_t n;

	if (!*path || *path == '#')
		return;
	if (*rest)
		*rest++ = '\0';
	rest += strspn(rest, " \t\r\n");
	end = *rest == '[' ? strchr(rest, ']') : NULL;
	if (*rest == '[' && !end) {
		diag_add(l->r->diag, DIAG_ERROR, &l->at, "\"]\" is missing behind \"[\"");
		return;
	}
	if (end) {
		*end = '\0';
		s.words = keep_text(l->r, rest + 1);
		s.settings = list_settings(l, rest + 1);
		if (!s.settings)
			return;
		rest = end + 1;
	}
	n = split(rest, word);
	if (n == LIST_WORDS_MAX)
		diag_add(l->r->diag, DIAG_ERROR, &l->at, "too many names: more than %d",
			 LIST_WORDS_MAX - 1);
	filter = n ? keep(l->r, n * sizeof(*filter)) : NULL;
	for (size_t i = 0; filter && i < n; i++)
		filter[s.n_filters++] = keep_text(l->r, word[i]);
	s.filter = filter;
	s.path = with_base(l->r->cfg, l->r->cfg->global.tls.crt_base, l->line_file, keep_text(l->r, path));
	if (s.path)
		push(l, &s);
}

static void read_list(struct list_reader *l, const struct cfg_tls_crt *c)
{
	FILE *f = l->list ? fopen(l->list, "re") : NULL;
	char *line = malloc(LIST_LINE_MAX);

	l->at = (struct diag_place){.file = l->list};
	if (!f || !line) {
		diag_add(l->r->diag, DIAG_ERROR, &c->at, "%s: cannot read this crt-list: %s",
			 c->path, strerror(errno));
	} else {
		while (fgets(line, LIST_LINE_MAX, f)) {
			l->at.line++;
			list_line(l, line);
		}
	}
	if (f)
		fclose(f);
	free(line);
}

bool cfg_tls_list_line(struct cfg *c, const struct cfg_proxy *p, const struct cfg_tls *t, const char *list, unsigned number, char *text,
		       struct tls_source *ret, char *error, size_t cap)
{
	static const struct cfg_load_opts opts;
	struct diag d = {0};
	struct reader r = {.opts = &opts, .cfg = c, .diag = &d, .told_h2 = true};
	struct list_reader l = {.r = &r, .proxy = p, .line = t, .list = list, .at = {.file = list, .line = number}};
	bool ok;

	list_line(&l, text);
	ok = l.n == 1 && !r.no_memory && !d.count[DIAG_ERROR];
	if (ok)
		*ret = l.source[0];
	else
		snprintf(error, cap, "%s", d.n ? d.message[0].text : r.no_memory ? "out of memory" : "the line names no certificate");
	free(l.source);
	diag_fini(&d);
	return ok;
}

/* ---- When all is read ---- */

static void end_front(void *tls)
{
	tls_front_free(((struct cfg_tls *)tls)->front);
}

static void end_back(void *tls)
{
	tls_back_free(((struct cfg_tls *)tls)->back);
}

/* The name that commands call a list by: a folder's without "/" at its end. */
static const char *list_name(struct reader *r, const char *path)
{
	size_t n = path ? strlen(path) : 0;
	char *name = n ? keep(r, n + 1) : NULL;

	if (!name)
		return NULL;
	memcpy(name, path, n);
	while (n > 1 && name[n - 1] == '/')
		name[--n] = '\0';
	return name;
}

static void read_crt(struct reader *r, struct list_reader *l, struct cfg_tls_crt *c)
{
	const char *path = with_base(r->cfg, r->cfg->global.tls.crt_base, c->at.file, c->path);
	struct stat st;

	check_reload(r, path, &c->at);
	if (c->is_list || (path && stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
		c->list = path = list_name(r, path);
	l->list = c->list;
	l->line_file = c->at.file;
	if (c->is_list)
		read_list(l, c);
	else
		push(l, &(struct tls_source){.at = c->at, .path = path});
}

/* generate-certificates and what belongs to it. */
static void check_sign(struct reader *r, struct cfg_tls *t, size_t n_sources)
{
	if (!t->generates) {
		if (t->sign_file || t->sign_pass)
			diag_add(r->diag, DIAG_WARNING, &t->sign_at,
				 "no effect without generate-certificates: nothing is signed with it");
		t->sign_file = NULL;
		return;
	}
	t->sign_file = with_base(r->cfg, r->cfg->global.tls.ca_base, t->at.file, t->sign_file);
	if (!t->sign_file)
		diag_add(r->diag, DIAG_ERROR, &t->sign_at,
			 "generate-certificates needs an authority: write ca-sign-file FILE, a PEM with its certificate and its key");
	else if (!n_sources)
		diag_add(r->diag, DIAG_ERROR, &t->sign_at,
			 "generate-certificates needs a certificate whose key is used, and for who asks for no name: write crt FILE");
	else
		check_reload(r, t->sign_file, &t->sign_at);
}

static void make_front(struct reader *r, const struct cfg_proxy *p, struct cfg_tls *t)
{
	struct cfg_tls_global *g = &r->cfg->global.tls;
	struct list_reader l = {.r = r, .proxy = p, .line = t};
	struct cfg_tls_crt *c;
	struct tls_front_opts o;

	inherit(&t->set, &g->bind);
	place_files(r->cfg, t->at.file, &t->set);
	t->set.ticket_keys = t->set.no_tickets ? NULL : t->set.ticket_keys;
	without_h2(r, p, &t->set, &t->at);
	if (!is_alpn(t->set.alpn))
		diag_add(r->diag, DIAG_ERROR, &t->at, "alpn: this list is too long");
	STAILQ_FOREACH (c, &t->crts, next)
		read_crt(r, &l, c);
	check_sign(r, t, l.n);
	if (!l.n && !t->strict_sni && STAILQ_EMPTY(&t->crts))
		diag_add(r->diag, DIAG_ERROR, &t->at,
			 "\"ssl\" needs a certificate: write crt FILE, a PEM with the certificate, "
			 "its issuers and its key");
	else if (t->set.verify > TLS_VERIFY_NONE && !t->set.ca_file)
		diag_add(
		    r->diag, DIAG_ERROR, &t->at,
		    "clients are to be verified, and no authority is named: write ca-file FILE");
	else if (!r->no_memory) {
		o = (struct tls_front_opts){
		    .store = r->cfg->tls_store,
		    .settings = t->set,
		    .globals = &g->all,
		    .source = l.source,
		    .n_sources = l.n,
		    .strict_sni = t->strict_sni,
		    .sign_file = t->sign_file,
		    .sign_pass = t->sign_pass,
		    .at = t->at,
		    .sign_at = t->sign_at,
		};
		t->front = tls_front_new(&o, r->diag);
		if (t->front && !cfg_at_end(r->cfg, end_front, t)) {
			t->front = NULL;
			r->no_memory = true;
		}
	}
	if (t->sign_pass)
		explicit_bzero((char *)(uintptr_t)t->sign_pass, strlen(t->sign_pass)); /* keep_word copied it */
	free(l.source);
}

static void check_bind(struct reader *r, const struct cfg_proxy *p, struct cfg_bind *b)
{
	struct cfg_tls *t = b->tls_words;

	if (!t)
		return;
	if (!t->on) {
		if (!STAILQ_EMPTY(&t->crts))
			diag_add(
			    r->diag, DIAG_WARNING, &t->at,
			    "a certificate without \"ssl\": this address speaks no TLS; add ssl");
		return;
	}
	if (!t->tried) /* one for a range of ports */
		make_front(r, p, t);
	t->tried = true;
}

/* The expression of `sni`; a constant one is a name. */
static bool read_sni(struct reader *r, const struct cfg_proxy *p, struct cfg_tls *t)
{
	struct rule_error e = {""};
	const char *rest = "";
	struct expr *x = keep(r, sizeof(*x));
	struct run run = {0};
	char scratch[1024];
	struct text name;

	if (!x)
		return false;
	if (!expr_parse(t->sni, cfg_rule_memory(r), x, &rest, &e) || *rest) {
		diag_add(r->diag, DIAG_ERROR, &t->at, "sni: %s",
			 *e.text ? e.text : "this is no expression");
		return false;
	}
	if (x->needs & ~EXPR_REQUEST || (x->needs && p->set.mode == CFG_MODE_TCP)) {
		diag_add(r->diag, DIAG_ERROR, &t->at,
			 "sni: \"%s\" is not known yet when a server is connected to%s", t->sni,
			 p->set.mode == CFG_MODE_TCP ? " in mode tcp" : "");
		return false;
	}
	if (strncmp(t->sni, "str(", 4) != 0) {
		t->sni_expr = x;
		return true;
	}
	run.scratch = (struct scratch){scratch, 0, sizeof(scratch)};
	if (expr_eval_text(x, &run, &name)) {
		char text[256];

		snprintf(text, sizeof(text), "%.*s", (int)name.len, name.at);
		t->sni_name = cfg_strdup(r->cfg, text);
	}
	return t->sni_name;
}

/* What the words of a server's line do not say. False: told. */
static bool complete(struct reader *r, struct cfg_tls *t, const char *file, const struct diag_place *at, const char *name)
{
	const struct cfg_tls_global *g = &r->cfg->global.tls;

	inherit(&t->set, &g->server);
	place_files(r->cfg, file, &t->set);
	if (t->set.verify == TLS_VERIFY_UNSET)
		t->set.verify = g->servers_unverified ? TLS_VERIFY_NONE : TLS_VERIFY_REQUIRED;
	if (t->set.verify != TLS_VERIFY_REQUIRED || t->set.ca_file)
		return true;
	diag_add(r->diag, DIAG_ERROR, at,
		 "server \"%s\": its certificate is to be verified, and no authority is "
		 "named: write ca-file FILE "
		 "or ca-file @system-ca, or in a network you trust verify none",
		 name);
	return false;
}

void cfg_tls_of_ring(struct reader *r, struct cfg_ring_server *s)
{
	static const struct cfg_proxy plain = {.set = {.mode = CFG_MODE_TCP}};
	struct cfg_tls *t = s->tls;

	if (!t || !t->on) {
		s->tls = NULL;
		return;
	}
	if (!complete(r, t, s->at.file, &s->at, "of a ring"))
		return;
	t->crt_file = with_base(r->cfg, r->cfg->global.tls.crt_base, s->at.file, t->crt);
	if (t->sni && read_sni(r, &plain, t) && !t->sni_name)
		diag_add(r->diag, DIAG_ERROR, &s->at, "the sni of a ring's server is a constant: write str(NAME)");
}

static void make_back(struct reader *r, const struct cfg_proxy *p, struct cfg_server *s,
		      struct cfg_tls *t)
{
	struct cfg_tls_global *g = &r->cfg->global.tls;
	struct tls_back_opts o;

	if (!complete(r, t, s->at.file, &s->at, s->name))
		return;
	without_h2(r, p, &t->set, &t->at);
	if ((t->sni && !read_sni(r, p, t)) || !t->on)
		return;
	o = (struct tls_back_opts){
	    .store = r->cfg->tls_store,
	    .settings = t->set,
	    .globals = &g->all,
	    .crt = t->crt_file = with_base(r->cfg, g->crt_base, s->at.file, t->crt),
	    .verify_host = t->verify_host,
	    .name = t->sni_name,
	    .asks_name = t->sni_expr,
	    .no_reuse = t->no_reuse,
	    .at = s->at,
	};
	check_reload(r, o.crt, &s->at);
	t->back = tls_back_new(&o, r->diag);
	if (t->back && !cfg_at_end(r->cfg, end_back, t)) {
		t->back = NULL;
		r->no_memory = true;
	}
}

bool cfg_hop_speaks_tls(const struct cfg_server *s, const struct cfg_check_connect *how)
{
	return how->given && !how->usual ? how->tls : s->check_tls_usual || how->tls;
}

/* One of the connections of its check does. */
static bool check_speaks_tls(const struct cfg_proxy *p, const struct cfg_server *s)
{
	const struct cfg_check_connect *how;

	for (unsigned n = 0; (how = p->set.check.mixed ? cfg_check_hop(&p->set, n) : n ? NULL : &p->set.check.connect); n++)
		if (cfg_hop_speaks_tls(s, how))
			return true;
	return false;
}

static void check_server(struct reader *r, struct cfg_proxy *p, struct cfg_server *s)
{
	struct cfg_tls *t = s->tls_words;

	if (!t && s->check && check_speaks_tls(p, s)) /* only the check speaks it */
		t = s->tls_words = keep(r, sizeof(*t));
	if (!t)
		return;
	/* without an address of its own a check goes where the traffic goes */
	s->check_tls_usual = s->check && !t->check_off && (t->check_on || (t->on && !s->check_port && !s->check_addr));
	s->check_tls = s->check && check_speaks_tls(p, s);
	if (!t->on && !s->check_tls)
		return;
	/* each has its own copy by now, but for those that only a default-server speaks for */
	if (t == p->set.server->tls_words) {
		struct cfg_tls *own = keep(r, sizeof(*own));

		if (!own)
			return;
		*own = *t;
		s->tls_words = t = own;
	}
	make_back(r, p, s, t);
	if (t->sni_expr && p->sni && strcmp(p->sni_text, t->sni) != 0)
		diag_add(r->diag, DIAG_ERROR, &s->at,
			 "server \"%s\": one backend asks its servers by one sni expression in "
			 "this version: \"%s\" and \"%s\" "
			 "differ",
			 s->name, p->sni_text, t->sni);
	if (t->sni_expr && !p->sni) {
		p->sni = t->sni_expr;
		p->sni_text = t->sni;
	}
}

void cfg_tls_check(struct reader *r, struct cfg_proxy *p)
{
	struct cfg_server *s;
	struct cfg_bind *b;

	if (r->cfg->global.tls.cache_size)
		tls_session_cache(r->cfg->global.tls.cache_size);
	if (p->kind & CFG_FRONTEND)
		STAILQ_FOREACH (b, &p->binds, next)
			check_bind(r, p, b);
	if (p->kind & CFG_BACKEND)
		STAILQ_FOREACH (s, &p->servers, next)
			check_server(r, p, s);
}
