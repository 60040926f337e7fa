/* SPDX-License-Identifier: MIT */
/*
 * What is kept of a request and its response for the log and for later rules: a frontend has numbered slots
 * of a size for each side. Pure.
 */
#ifndef PROXYD_RULES_CAPTURE_H
#define PROXYD_RULES_CAPTURE_H

#include "rules/sample.h"

#define CAPTURES_MAX 64	      /* slots of one side */
#define CAPTURE_LEN_MAX 65535 /* bytes of one */

enum capture_side {
	CAPTURE_REQUEST,
	CAPTURE_RESPONSE,
};

struct capture_slots {
	unsigned n[2];
	struct capture_slot {
		unsigned len;	    /* at most so many bytes are kept */
		const char *header; /* this field is, by itself; NULL: rules do it */
	} slot[2][CAPTURES_MAX];
	const char *cookie; /* this one is, of both sides; NULL: none */
	unsigned cookie_len;
};

struct captures {
	char *at[2][CAPTURES_MAX]; /* our own; NULL: nothing */
	char *cookie[2];	   /* "name=value" */
};

/* -1: there are too many. */
int capture_declare(struct capture_slots *s, enum capture_side side, unsigned len);

/* Cuts what is too long. Without a slot, or memory, nothing happens. */
void capture_set(struct captures *c, const struct capture_slots *s, enum capture_side side,
		 unsigned slot, struct text t);

struct http_msg;
/* What is captured by itself: fields, */
void capture_fields(struct captures *c, const struct capture_slots *s, enum capture_side side,
		    const struct http_msg *m);
/* and the cookie. */
void capture_cookie(struct captures *c, const struct capture_slots *s, enum capture_side side,
		    const struct http_msg *m);
void captures_clear(struct captures *c);

#endif
