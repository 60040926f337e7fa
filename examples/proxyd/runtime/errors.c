/* SPDX-License-Identifier: MIT */
/* "show errors": messages that were refused, byte by byte. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/admin.h"
#include "engine/refused.h"
#include "runtime.h"

#define LINE_WIDTH 70u /* characters, as HAProxy's */

struct query {
	struct call *call;
	const char *proxy; /* NULL: all */
	bool requests, answers;
	struct out text;
	uint64_t events;
};

static void write_date(const struct timespec *t, struct out *o)
{
	char text[48];
	struct tm tm;

	localtime_r(&t->tv_sec, &tm);
	strftime(text, sizeof(text), "%d/%b/%Y:%H:%M:%S", &tm);
	out_printf(o, "[%s.%03ld]", text, t->tv_nsec / 1000000);
}

/* As it stands in a line: itself, or its escape. */
static size_t write_byte(unsigned char byte, char text[5])
{
	static const char from[] = "\r\n\t\033\\", to[] = "rnte\\";
	const char *found = byte ? strchr(from, byte) : NULL;

	if (found)
		return (size_t)snprintf(text, 5, "\\%c", to[found - from]);
	return (size_t)snprintf(text, 5, byte < ' ' || byte > '~' ? "\\x%02X" : "%c", byte);
}

/* A line of the message a line; what is longer goes on behind a "+". */
static void write_bytes(const struct refused *c, struct out *o)
{
	size_t width = 0;

	for (size_t i = 0; i < c->len; i++) {
		bool begins = !i || c->data[i - 1] == '\n';
		char text[5];
		size_t len = write_byte((unsigned char)c->data[i], text);

		if (begins || width + len > LINE_WIDTH) {
			out_printf(o, "%s  %05zu%c ", i ? "\n" : "", i, begins ? ' ' : '+');
			width = 0;
		}
		out_put(o, text, len);
		width += len;
	}
	if (c->len)
		out_text(o, "\n");
}

static void write_party(struct out *o, const char *what, const char *name, unsigned id)
{
	if (*name)
		out_printf(o, " %s %s (#%u),", what, name, id);
	else
		out_printf(o, " %s <NONE> (#-1),", what);
}

static void write_refused(void *userdata, const struct refused *c)
{
	struct query *q = userdata;
	struct out *o = &q->text;
	char from[64];

	if (c->event + 1 > q->events)
		q->events = c->event + 1;
	if ((q->proxy && strcmp(q->proxy, c->proxy) != 0 && (unsigned)atoi(q->proxy) != c->proxy_id) || !(c->is_answer ? q->answers : q->requests))
		return;
	out_text(o, " \n");
	write_date(&c->when, o);
	out_printf(o, " %s %s (#%u): invalid %s: %s\n", c->is_answer ? "backend" : "frontend", c->proxy, c->proxy_id,
		   c->is_answer ? "response" : "request", h1_fault_text(c->fault));
	log_client(&c->from, from, sizeof(from));
	out_text(o, " ");
	write_party(o, c->is_answer ? "frontend" : "backend", c->is_answer ? c->frontend : c->backend,
		    c->is_answer ? c->frontend_id : c->backend_id);
	write_party(o, "server", c->server, c->server_id);
	out_printf(o, " event #%llu, src %s\n  len %zu%s\n  \n", (unsigned long long)c->event, from, c->whole,
		   c->whole > c->len ? ", cut" : "");
	write_bytes(c, o);
}

void run_show_errors(struct call *c)
{
	struct query q = {.call = c, .requests = true, .answers = true};
	struct timespec now;

	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->word[i], "request"))
			q.answers = false;
		else if (!strcmp(c->word[i], "response"))
			q.requests = false;
		else if (strcmp(c->word[i], "-1") != 0)
			q.proxy = c->word[i];
	if (q.proxy && !atoi(q.proxy) && !admin_backend(c->e, q.proxy) && !admin_frontend(c->e, q.proxy)) {
		call_say(c, "No such proxy.\n");
		return;
	}
	refused_each(c->e, write_refused, &q);
	clock_gettime(CLOCK_REALTIME, &now);
	out_text(c->out, "Total events captured on ");
	write_date(&now, c->out);
	out_printf(c->out, " : %llu\n", (unsigned long long)q.events);
	out_put(c->out, q.text.at, q.text.len);
	out_free(&q.text);
}
