/* SPDX-License-Identifier: MIT */
/* Sections `mailers`, and `email-alert`: who is told by mail what happens to servers. */
#include "cfg/read.h"

#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define MAIL_TIMEOUT_NS (10000 * CFG_MS) /* HAProxy's */

static struct cfg_mailers *find_mailers(const struct cfg *c, const char *name)
{
	struct cfg_mailers *m;

	STAILQ_FOREACH (m, &c->mailers, next)
		if (!strcmp(m->name, name))
			return m;
	return NULL;
}

void begin_mailers(struct reader *r)
{
	const struct cfg_mailers *other = find_mailers(r->cfg, word_at(r, 1));

	if (other)
		say(r, DIAG_ERROR, 1, "the section \"mailers %s\" is there already, in line %u", other->name, other->at.line);
	r->mailers = keep(r, sizeof(*r->mailers));
	if (!r->mailers)
		return;
	r->mailers->at = place_at(r, 0);
	r->mailers->name = keep_word(r, 1);
	r->mailers->timeout_ns = MAIL_TIMEOUT_NS;
	STAILQ_INIT(&r->mailers->list);
	STAILQ_INSERT_TAIL(&r->cfg->mailers, r->mailers, next);
}

void kw_mailer(struct reader *r, size_t first, const void *data)
{
	struct cfg_mailer *m = r->mailers ? keep(r, sizeof(*m)) : NULL;
	struct address a;

	if (!m || !read_address(r, first + 1, word_at(r, first + 1), ADDR_PORT | (r->opts->ignore_unresolved ? ADDR_UNRESOLVED : 0), &a))
		return;
	m->name = keep_word(r, first);
	m->addr = a.addr;
	if (a.addr.len) /* -dr: else the name did not resolve */
		STAILQ_INSERT_TAIL(&r->mailers->list, m, next);
}

void kw_mail_timeout(struct reader *r, size_t first, const void *data)
{
	if (r->mailers)
		read_time(r, first, "timeout mail", &r->mailers->timeout_ns);
}

void kw_email_alert(struct reader *r, size_t first, const void *data)
{
	struct cfg_email *e = keep_copy(r, r->proxy->set.email, sizeof(*e));
	const char *what = word_at(r, first - 1);

	if (!e)
		return;
	r->proxy->set.email = e;
	if (!e->at.line)
		e->level = LOG_ALERT; /* HAProxy's */
	if (!e->mailers_name || !strcmp(what, "mailers")) /* what is wrong is told there */
		e->at = place_at(r, first - 1);
	if (!strcmp(what, "level"))
		cfg_log_level(r, first, &e->level);
	else if (!strcmp(what, "from"))
		e->from = keep_word(r, first);
	else if (!strcmp(what, "to"))
		e->to = keep_word(r, first);
	else if (!strcmp(what, "mailers"))
		e->mailers_name = keep_word(r, first);
	else
		e->myhostname = keep_word(r, first);
}

void cfg_email_check(struct reader *r, struct cfg_proxy *p)
{
	struct cfg_email *e = p->set.email;
	char host[256];

	if (!e)
		return;
	if (!e->from || !e->to || !e->mailers_name) {
		diag_add(r->diag, DIAG_WARNING, &e->at,
			 "no mail is sent: \"email-alert %s\" is missing; it takes from, to and mailers",
			 !e->mailers_name ? "mailers" : !e->from ? "from" : "to");
		return;
	}
	e->mailers = find_mailers(r->cfg, e->mailers_name);
	if (!e->mailers)
		diag_add(r->diag, DIAG_ERROR, &e->at, "there is no section \"mailers %s\": write one", e->mailers_name);
	if (e->myhostname)
		return;
	if (gethostname(host, sizeof(host)) < 0)
		strcpy(host, "localhost");
	host[sizeof(host) - 1] = '\0';
	e->myhostname = keep_text(r, host);
}

void cfg_mailers_check(struct reader *r)
{
	struct cfg_mailers *m;

	STAILQ_FOREACH (m, &r->cfg->mailers, next)
		if (STAILQ_EMPTY(&m->list))
			diag_add(r->diag, DIAG_WARNING, &m->at, "section \"mailers %s\" has no mailer: nobody gets mail", m->name);
}
