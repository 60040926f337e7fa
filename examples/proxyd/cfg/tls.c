/* SPDX-License-Identifier: MIT */
/* TLS when all files are read: of `bind` lines a front is made, of `server` lines a back. */
#include "cfg/tls_internal.h"
#include "rules/expr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

static void read_crt(struct reader *r, struct tls_list *l, struct cfg_tls_crt *c)
{
	const char *path = tls_with_base(r->cfg, r->cfg->global.tls.crt_base, c->at.file, c->path);
	struct stat st;

	tls_check_reload(r, path, &c->at);
	if (c->is_list || (path && stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
		c->list = path = list_name(r, path);
	l->list = c->list;
	l->line_file = c->at.file;
	if (c->is_list)
		tls_list_read(l, c);
	else
		tls_list_push(l, &(struct tls_source){.at = c->at, .path = path});
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
	t->sign_file = tls_with_base(r->cfg, r->cfg->global.tls.ca_base, t->at.file, t->sign_file);
	if (!t->sign_file)
		diag_add(r->diag, DIAG_ERROR, &t->sign_at,
			 "generate-certificates needs an authority: write ca-sign-file FILE, a PEM with its certificate and its key");
	else if (!n_sources)
		diag_add(r->diag, DIAG_ERROR, &t->sign_at,
			 "generate-certificates needs a certificate whose key is used, and for who asks for no name: write crt FILE");
	else
		tls_check_reload(r, t->sign_file, &t->sign_at);
}

static void make_front(struct reader *r, const struct cfg_proxy *p, struct cfg_tls *t)
{
	struct cfg_tls_global *g = &r->cfg->global.tls;
	struct tls_list l = {.r = r, .proxy = p, .line = t};
	struct cfg_tls_crt *c;
	struct tls_front_opts o;

	tls_settings_inherit(&t->set, &g->bind);
	tls_place_files(r->cfg, t->at.file, &t->set);
	t->set.ticket_keys = t->set.no_tickets ? NULL : t->set.ticket_keys;
	tls_check_versions(r, &t->set, false, &t->at);
	if (!tls_is_alpn(t->set.alpn))
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

static void check_bind(struct reader *r, const struct cfg_proxy *p, struct cfg_tls *t)
{
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
	/* what a client of mode tcp sent is on its way by then; what a request's head is in is no bytes: as in HAProxy */
	const unsigned unheard = EXPR_SENT | EXPR_BYTES | (p->set.mode == CFG_MODE_TCP ? EXPR_REQUEST | EXPR_MESSAGE | EXPR_ASKED : 0);
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
	if (!expr_may_stand(x->needs, EXPR_NOT_BEFORE_ANSWER & ~EXPR_CHOSEN, &e)) {
		diag_add(r->diag, DIAG_ERROR, &t->at, "sni: \"%s\" is not known yet when a server is connected to", t->sni);
		return false;
	}
	if (x->needs & unheard)
		diag_add(r->diag, DIAG_WARNING, &t->at, "sni: \"%s\" is nothing any more when a server of mode %s is connected to: no name is sent",
			 t->sni, p->set.mode == CFG_MODE_TCP ? "tcp" : "http");
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

	tls_settings_inherit(&t->set, &g->server);
	tls_place_files(r->cfg, file, &t->set);
	tls_check_versions(r, &t->set, true, at);
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
	t->crt_file = tls_with_base(r->cfg, r->cfg->global.tls.crt_base, s->at.file, t->crt);
	if (t->sni && read_sni(r, &plain, t) && !t->sni_name)
		diag_add(r->diag, DIAG_ERROR, &s->at, "the sni of a ring's server is a constant: write str(NAME)");
}

void cfg_tls_of_forward(struct reader *r, struct cfg_forward *f)
{
	static const struct cfg_proxy plain = {.set = {.mode = CFG_MODE_TCP}};
	struct cfg_forward_bind *b;

	STAILQ_FOREACH (b, &f->binds, next) {
		check_bind(r, &plain, b->tls);
		if (b->tls && !b->tls->on)
			b->tls = NULL;
	}
}

static void make_back(struct reader *r, const struct cfg_proxy *p, struct cfg_server *s,
		      struct cfg_tls *t)
{
	struct cfg_tls_global *g = &r->cfg->global.tls;
	struct tls_back_opts o;

	if (!complete(r, t, s->at.file, &s->at, s->name))
		return;
	tls_without_h2(r, p, &t->set, &t->at);
	if ((t->sni && !read_sni(r, p, t)) || !t->on)
		return;
	o = (struct tls_back_opts){
	    .store = r->cfg->tls_store,
	    .settings = t->set,
	    .globals = &g->all,
	    .crt = t->crt_file = tls_with_base(r->cfg, g->crt_base, s->at.file, t->crt),
	    .verify_host = t->verify_host,
	    .name = t->sni_name,
	    .no_reuse = t->no_reuse,
	    .at = s->at,
	};
	tls_check_reload(r, o.crt, &s->at);
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
}

void cfg_tls_check(struct reader *r, struct cfg_proxy *p)
{
	struct cfg_server *s;
	struct cfg_bind *b;

	if (r->cfg->global.tls.cache_size)
		tls_session_cache(r->cfg->global.tls.cache_size);
	if (p->kind & CFG_FRONTEND)
		STAILQ_FOREACH (b, &p->binds, next)
			check_bind(r, p, b->tls_words);
	if (p->kind & CFG_BACKEND)
		STAILQ_FOREACH (s, &p->servers, next)
			check_server(r, p, s);
}
