/* SPDX-License-Identifier: MIT */
/* What TCP sockets are told: buffers, keep-alive probes, timeouts, segments. */
#include "cfg/read.h"

#include <limits.h>
#include <string.h>

#define PROBES_MAX 127u	    /* the kernel's, for each of the three */
#define PROBE_TIME_MAX 32767u
#define MSS_MAX 65535u
#define MSS_LEAST 88u /* the kernel's */
#define MSS_MOST 32767u

/* tune.rcvbuf.client and the like; `data`: its place in the global section */
void kw_tcp_buffer(struct reader *r, size_t first, const void *data)
{
	const size_t *offset = data;

	read_number(r, first, word_at(r, first - 1), 1, INT_MAX, (unsigned *)((char *)&r->cfg->global + *offset));
}

/* clitcpka-cnt and the like; `data`: its place in the section's settings */
void kw_tcp_probes(struct reader *r, size_t first, const void *data)
{
	const char *word = word_at(r, first - 1), *text = word_at(r, first);
	unsigned *to = (unsigned *)((char *)&r->proxy->set + *(const size_t *)data);
	uint64_t ns;

	if (!strcmp(strrchr(word, '-'), "-cnt")) {
		read_number(r, first, word, 1, PROBES_MAX, to);
	} else if (*text && strspn(text, "0123456789") == strlen(text)) { /* seconds, where other times are in ms */
		read_number(r, first, word, 1, PROBE_TIME_MAX, to);
	} else if (read_time(r, first, word, &ns)) {
		if (ns < 1000 * CFG_MS || ns > PROBE_TIME_MAX * 1000 * CFG_MS)
			say(r, DIAG_ERROR, first, "%s is a number of seconds from 1 to %u", word, PROBE_TIME_MAX);
		else
			*to = (unsigned)(ns / (1000 * CFG_MS));
	}
}

/* tcp-ut of either */
static void read_user_timeout(struct reader *r, size_t i, struct cfg_tcp *t)
{
	uint64_t ns;

	if (!read_time(r, i + 1, "tcp-ut", &ns))
		return;
	if (ns && ns < CFG_MS)
		say(r, DIAG_ERROR, i + 1, "tcp-ut is too short: the shortest is 1ms");
	else
		t->user_timeout_ms = (unsigned)(ns / CFG_MS);
}

static void read_mss(struct reader *r, size_t i, struct cfg_tcp *t)
{
	const char *text = word_at(r, i + 1);
	unsigned mss;

	if (*text == '-') { /* HAProxy asks for it, and Linux does nothing */
		say(r, DIAG_WARNING, i + 1, "the kernel changes no segments of a connection that stands: write how large they are to be");
		return;
	}
	if (!read_number(r, i + 1, "mss", 1, MSS_MAX, &mss))
		return;
	t->mss = mss < MSS_LEAST ? MSS_LEAST : mss > MSS_MOST ? MSS_MOST : mss;
	if (t->mss != mss)
		say(r, DIAG_WARNING, i + 1, "the kernel takes segments of %u to %u bytes: %u is taken as %u", MSS_LEAST,
		    MSS_MOST, mss, t->mss);
}

void bind_tcp(struct reader *r, size_t i, void *target)
{
	struct cfg_bind *b = target;
	const char *word = word_at(r, i);

	if (!strcmp(word, "mss"))
		read_mss(r, i, &b->tcp);
	else if (!strcmp(word, "tcp-ut"))
		read_user_timeout(r, i, &b->tcp);
	else if (!strcmp(word, "tfo"))
		b->tcp.fast_open = true;
	else { /* a reload may bind another one */
		b->tcp.transparent = true;
		r->cfg->global.usesrc = true;
	}
}

void server_tcp(struct reader *r, size_t i, void *target)
{
	struct cfg_server *s = target;
	const char *word = word_at(r, i);

	if (!strcmp(word, "tcp-ut"))
		read_user_timeout(r, i, &s->tcp);
	else
		s->tcp.fast_open = !strcmp(word, "tfo");
}

/* What its line does not say is the section's, or the process'. */
static void complete(struct cfg_tcp *own, const struct cfg_tcp *section, const struct cfg_tcp *process)
{
	own->receive_buffer = process->receive_buffer;
	own->send_buffer = process->send_buffer;
	own->keepalive = section->keepalive;
	own->resets = section->resets;
	if (!own->keepalive)
		return;
	own->keep_count = section->keep_count;
	own->keep_idle_s = section->keep_idle_s;
	own->keep_interval_s = section->keep_interval_s;
}

void cfg_tcp_check(struct reader *r, struct cfg_proxy *p)
{
	const struct cfg_global *g = &r->cfg->global;
	struct cfg_server *s;
	struct cfg_bind *b;

	STAILQ_FOREACH (b, &p->binds, next)
		complete(&b->tcp, &p->set.tcp_client, &g->tcp_client);
	STAILQ_FOREACH (s, &p->servers, next)
		complete(&s->tcp, &p->set.tcp_server, &g->tcp_server);
}
