/* SPDX-License-Identifier: MIT */
/* A transaction for rules to work on, and the memory they are read into. */
#ifndef RULES_RIG_H
#define RULES_RIG_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine/http/h1.h"
#include "rules/action/action.h"
#include "rules/vars.h"

#define RIG_ROOM 8192
#define RIG_BLOCKS 4096

struct rig {
	void *block[RIG_BLOCKS];
	size_t n_blocks;
	struct {
		void (*fn)(void *object);
		void *object;
	} end[256];
	size_t n_ends;
	struct var_names names;
	struct vars vars;
	struct rule_memory memory;
	struct acls acls;
	struct acl_reader reader;

	char request_buf[RIG_ROOM * 2], response_buf[RIG_ROOM * 2], scratch[RUN_SCRATCH];
	struct http_msg request, response;
	struct run run;
};

static inline void *rig_alloc(void *owner, size_t size)
{
	struct rig *g = owner;
	void *p = g->n_blocks < RIG_BLOCKS ? calloc(1, size) : NULL;

	if (p)
		g->block[g->n_blocks++] = p;
	return p;
}

static inline bool rig_on_free(void *owner, void (*fn)(void *), void *object)
{
	struct rig *g = owner;

	assert_true(g->n_ends < 256);
	g->end[g->n_ends].fn = fn;
	g->end[g->n_ends++].object = object;
	return true;
}

static inline void rig_head(struct http_msg *m, char *buf, const char *head)
{
	size_t len = strlen(head);

	memcpy(buf + RIG_ROOM, head, len);
	h1_begin(m, buf, 0, RIG_ROOM);
}

static inline void rig_request(struct rig *g, const char *head)
{
	rig_head(&g->request, g->request_buf, head);
	assert_int_equal(h1_request(&g->request, RIG_ROOM, (uint32_t)strlen(head)), strlen(head));
	g->run.request = &g->request;
}

static inline void rig_response(struct rig *g, const char *head)
{
	rig_head(&g->response, g->response_buf, head);
	assert_int_equal(
	    h1_response(&g->response, RIG_ROOM, (uint32_t)strlen(head), HTTP_METHOD_GET, false),
	    strlen(head));
	g->run.response = &g->response;
}

static inline struct rig *rig_new(void)
{
	struct rig *g = calloc(1, sizeof(*g));

	assert_non_null(g);
	g->memory = (struct rule_memory){rig_alloc, rig_on_free, g, &g->names, NULL, "fe", &g->acls};
	g->reader = (struct acl_reader){.memory = &g->memory, .acls = &g->acls};
	g->run.vars = &g->vars;
	g->run.scratch = (struct scratch){g->scratch, 0, sizeof(g->scratch)};
	g->run.frontend = (struct run_proxy){"fe", 2};
	g->run.backend = (struct run_proxy){"be", 3};
	g->run.wall.tv_sec = 1000000000;
	assert_true(text_to_ip(text_of("192.0.2.7", 9), &g->run.source.address));
	assert_true(text_to_ip(text_of("2001:db8::1", 11), &g->run.destination.address));
	g->run.source.port = 40000;
	g->run.destination.port = 443;
	return g;
}

static inline void rig_free(struct rig *g)
{
	vars_clear(&g->vars);
	while (g->n_ends--)
		g->end[g->n_ends].fn(g->end[g->n_ends].object);
	while (g->n_blocks--)
		free(g->block[g->n_blocks]);
	free(g);
}

/* The words of a line, on single spaces; "…" keeps them. Changes `line`. */
static inline size_t rig_words(char *line, const char **word, size_t cap)
{
	size_t n = 0;

	while (*line) {
		char end = ' ';

		if (*line == '"') {
			end = '"';
			line++;
		}
		assert_true(n < cap);
		word[n++] = line;
		line = strchr(line, end);
		if (!line)
			break;
		*line++ = '\0';
		if (end == '"' && *line == ' ')
			line++;
	}
	return n;
}

#endif
