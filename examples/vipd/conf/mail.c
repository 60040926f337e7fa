/* SPDX-License-Identifier: MIT */
/* Words about mail, and who gets mail about what when all is read. */
#include <string.h>
#include <unistd.h>

#include "conf/words.h"

#define SMTP_PORT 25

/* What stands between MAIL FROM:< and >: nothing that could end the command or the line. */
static bool is_mailbox(const char *text)
{
	size_t len = strlen(text);

	if (!len || len > CONF_MAILBOX_MAX)
		return false;
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c == 0x7f || *c == '<' || *c == '>')
			return false;
	return true;
}

/* NAME <MAILBOX>: the part that the server is told. */
static const char *mailbox_of(struct conf_parse *p, const struct conf_word *w)
{
	const char *open = strrchr(w->text, '<');
	size_t len = strlen(w->text);
	const char *mailbox = w->text;

	if (open && w->text[len - 1] == '>')
		mailbox = conf_strndup(p->scratch, open + 1, len - (size_t)(open - w->text) - 2);
	if (is_mailbox(mailbox))
		return conf_keep(p, mailbox);
	conf_warn(
	    p, &w->at,
	    "\"%s\" is no address of mail: write NAME@HOST, of at most %d characters. Skipped",
	    w->text, CONF_MAILBOX_MAX);
	return NULL;
}

/* Is it part of a name that stands before <MAILBOX>? Names are left out. */
static bool is_name(const struct conf_node *c, size_t i)
{
	if (strchr(c->word[i].text, '<'))
		return false;
	for (size_t later = i + 1; later < c->n; later++)
		if (*c->word[later].text == '<')
			return true;
	return false;
}

void conf_set_recipients(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	struct conf_mail *m = &((struct conf_globals *)target)->mail;

	for (const struct conf_node *c = n->child; c; c = c->next) {
		for (size_t i = 0; i < c->n; i++) {
			const char *mailbox;

			if (is_name(c, i))
				continue;
			mailbox = mailbox_of(p, &c->word[i]);
			if (mailbox && m->n_to == CONF_RECIPIENTS_MAX)
				conf_warn(p, &c->word[i].at, "more than %d recipients: skipped",
					  CONF_RECIPIENTS_MAX);
			if (!mailbox || m->n_to == CONF_RECIPIENTS_MAX)
				continue;
			m->to = conf_grow(p->memory, m->to, m->n_to, sizeof(*m->to));
			m->to[m->n_to++] = mailbox;
		}
	}
}

void conf_set_sender(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	const struct conf_word *w = conf_argument(p, n);
	const char *mailbox = w ? mailbox_of(p, w) : NULL;

	if (mailbox)
		((struct conf_globals *)target)->mail.from = mailbox;
}

void conf_set_smtp_server(struct conf_parse *p, const struct conf_node *n,
			  const struct conf_keyword *k, void *target)
{
	struct conf_mail *m = &((struct conf_globals *)target)->mail;
	const struct conf_word *w = conf_argument(p, n);

	if (!w)
		return;
	m->server = conf_keep(p, w->text);
	m->port = SMTP_PORT;
	if (n->n > 2)
		conf_read_port(p, &n->word[2], &m->port);
}

/* HELO's argument: a word that cannot end the line. */
void conf_set_helo(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		   void *target)
{
	const struct conf_word *w = conf_argument(p, n);

	if (w && is_mailbox(w->text))
		((struct conf_globals *)target)->mail.helo = conf_keep(p, w->text);
	else if (w)
		conf_warn(p, &w->at, "\"%s\" is not the name of a host: skipped", w->text);
}

/* ---- When all is read ---- */

static const char *host_name(struct conf_parse *p)
{
	char name[256] = "";

	gethostname(name, sizeof(name) - 1);
	return conf_strdup(p->memory, is_mailbox(name) ? name : "localhost");
}

static int first_said(int own, int of_kind, int of_all, int otherwise)
{
	return own != CONF_UNSET       ? own
	       : of_kind != CONF_UNSET ? of_kind
	       : of_all != CONF_UNSET  ? of_all
				       : otherwise;
}

/* keepalived's defaults: real servers are told about, virtual servers and instances are not. */
static bool spread_alerts(struct conf *c, const struct conf_mail *m)
{
	bool asked = m->all == 1 || m->vrrp == 1 || m->checker == 1;

	for (struct conf_instance *i = c->instances; i; i = i->next) {
		asked |= i->smtp_alert == 1;
		i->smtp_alert = first_said(i->smtp_alert, m->vrrp, m->all, 0);
	}
	for (struct conf_group *g = c->groups; g; g = g->next) {
		asked |= g->smtp_alert == 1;
		g->smtp_alert = first_said(g->smtp_alert, m->vrrp, m->all, 0);
	}
	for (struct conf_virtual *v = c->virtuals; v; v = v->next) {
		asked |= v->smtp_alert == 1;
		v->smtp_alert =
		    m->no_checker ? 0 : first_said(v->smtp_alert, m->checker, m->all, 0);
		for (const struct conf_real *r = v->reals; r; r = r->next)
			asked |= r->opts->smtp_alert == 1;
	}
	return asked;
}

/* When all were asked: real servers share it. */
static void spread_alerts_of_reals(struct conf *c, const struct conf_mail *m)
{
	for (struct conf_virtual *v = c->virtuals; v; v = v->next)
		for (struct conf_real *r = v->reals; r; r = r->next)
			r->opts->smtp_alert =
			    m->no_checker ? 0
					  : first_said(r->opts->smtp_alert, m->checker, m->all, 1);
}

void conf_complete_mail(struct conf_parse *p)
{
	struct conf_mail *m = &p->conf->globals.mail;
	bool asked = spread_alerts(p->conf, m);

	spread_alerts_of_reals(p->conf, m);
	if (!m->server && !m->n_to && !asked)
		return;
	if (!m->server || !m->n_to) {
		conf_warn(p, NULL, "no mail is sent: global_defs lacks %s",
			  m->server ? "notification_email { ADDRESS }" : "smtp_server ADDRESS");
		m->server = NULL;
		return;
	}
	if (!m->helo)
		m->helo = host_name(p);
	if (!m->from)
		m->from = conf_printf(p->memory, "root@%s", host_name(p));
}
