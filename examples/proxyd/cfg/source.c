/* SPDX-License-Identifier: MIT */
/* `source`: where connections to servers come from. On a server's line "usesrc" and "interface" follow as parameters. */
#include "cfg/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NULL: no memory. */
static struct cfg_source *read_source(struct reader *r, size_t i, bool ports)
{
	struct cfg_source *s = keep(r, sizeof(*s));
	const char *text = word_at(r, i), *colon = strrchr(text, ':');
	bool range = colon && strchr(colon, '-') && !strchr(colon, ']');
	struct address a;

	if (!strcmp(text, "*"))
		text = "0.0.0.0";
	if (!s || !read_address(r, i, text, range ? ADDR_LISTEN : 0, &a))
		return s;
	if (a.addr.sa.sa_family == AF_UNIX)
		say(r, DIAG_ERROR, i, "source is an IPv4 or IPv6 address, with a port or without");
	else if (range && !ports)
		say(r, DIAG_ERROR, i, "a range of ports is each server's own: write it on the server's line");
	s->addr = a.addr;
	s->port = a.port;
	s->n_ports = range ? a.port_end - a.port + 1 : a.port != 0;
	return s;
}

/* "hdr_ip(NAME[,OCCURRENCE])" */
static bool read_header(struct reader *r, const char *word, struct cfg_source *s)
{
	char name[128], end;
	int n = sscanf(word, "hdr_ip(%127[^,)],%d%c", name, &s->occurrence, &end);

	if (n == 1) {
		s->occurrence = -1; /* the last one */
		n = sscanf(word, "hdr_ip(%127[^,)]%c%c", name, &end, &end) == 2 ? 3 : 0;
	}
	s->header = n == 3 ? keep_text(r, name) : NULL;
	return n == 3 && end == ')' && s->occurrence;
}

static void read_usesrc(struct reader *r, size_t i, struct cfg_source *s)
{
	const char *word = word_at(r, i);
	struct address a;

	r->cfg->global.usesrc = true;
	if (!strcmp(word, "client"))
		s->as = CFG_SOURCE_CLIENT;
	else if (!strcmp(word, "clientip"))
		s->as = CFG_SOURCE_CLIENT_IP;
	else if (!strncmp(word, "hdr_ip(", 7)) {
		s->as = CFG_SOURCE_HEADER;
		if (!read_header(r, word, s))
			say(r, DIAG_ERROR, i, "write hdr_ip(NAME), or hdr_ip(NAME,N) for the Nth address, -1 is the last one");
	} else if (read_address(r, i, word, 0, &a)) {
		s->as = CFG_SOURCE_FOREIGN;
		s->addr = a.addr;
		s->port = a.port;
		s->n_ports = a.port != 0;
	}
}

void kw_source(struct reader *r, size_t first, const void *data)
{
	struct cfg_source *s = read_source(r, first, false);

	r->proxy->set.source = s;
	for (size_t i = first + 1; s && i < r->line->n; i += 2)
		if (i + 1 == r->line->n || (strcmp(word_at(r, i), "usesrc") != 0 && strcmp(word_at(r, i), "interface") != 0)) {
			say(r, DIAG_ERROR, i, "behind the address stand usesrc ADDRESS|client|clientip|hdr_ip(NAME) and interface NAME");
			return;
		} else if (!strcmp(word_at(r, i), "usesrc")) {
			read_usesrc(r, i + 1, s);
		} else {
			s->interface = keep_word(r, i + 1);
		}
}

void server_source(struct reader *r, size_t i, void *target)
{
	((struct cfg_server *)target)->source = read_source(r, i + 1, true);
}

void server_source_more(struct reader *r, size_t i, void *target)
{
	struct cfg_server *server = target;
	struct cfg_source *s;

	if (!server->source) {
		say(r, DIAG_ERROR, i, "\"%s\" stands behind \"source ADDRESS\"", word_at(r, i));
		return;
	}
	s = keep_copy(r, server->source, sizeof(*s)); /* it may be a default's */
	server->source = s;
	if (!s)
		return;
	if (!strcmp(word_at(r, i), "usesrc"))
		read_usesrc(r, i + 1, s);
	else
		s->interface = keep_word(r, i + 1);
}

/* The one header of a backend's servers that says where connections come from. */
static void take_header(struct reader *r, struct cfg_proxy *p, const struct cfg_source *s, const struct diag_place *at)
{
	if (!s || s->as != CFG_SOURCE_HEADER || !s->header)
		return;
	if (p->set.mode != CFG_MODE_HTTP)
		diag_add(r->diag, DIAG_WARNING, at, "\"%s\": usesrc hdr_ip needs mode http: the address of \"source\" is used", p->name);
	else if (p->source_header && (strcmp(p->source_header->header, s->header) != 0 || p->source_header->occurrence != s->occurrence))
		diag_add(r->diag, DIAG_ERROR, at, "\"%s\": the servers of a backend have one hdr_ip, here there are two", p->name);
	else
		p->source_header = s;
}

void cfg_source_check(struct reader *r, struct cfg_proxy *p)
{
	const struct cfg_server *s;

	take_header(r, p, p->set.source, &p->at);
	STAILQ_FOREACH (s, &p->servers, next)
		take_header(r, p, s->source, &s->at);
}
