/* SPDX-License-Identifier: MIT */
#include "rules/capture.h"

#include <stdlib.h>
#include <string.h>

#include "engine/http/msg.h"

int capture_declare(struct capture_slots *s, enum capture_side side, unsigned len)
{
	if (s->n[side] == CAPTURES_MAX)
		return -1;
	s->slot[side][s->n[side]] = (struct capture_slot){.len = len};
	return (int)s->n[side]++;
}

static void keep(char **to, struct text t, unsigned most)
{
	size_t len = t.len > most ? most : t.len;

	free(*to);
	*to = len ? strndup(t.at, len) : strdup(""); /* an empty one was there, too */
}

void capture_set(struct captures *c, const struct capture_slots *s, enum capture_side side,
		 unsigned slot, struct text t)
{
	if (slot < s->n[side])
		keep(&c->at[side][slot], t, s->slot[side][slot].len);
}

static struct text value_of(const struct http_msg *m, const struct http_field *f)
{
	return text_of(http_text(m, f->value), f->value.len);
}

/* The "name=value" that begins with what is wanted; of Set-Cookie only the first word counts. */
static bool find_cookie(const struct http_msg *m, struct text field, const char *wanted, struct text *ret)
{
	size_t len = strlen(wanted);

	while (field.len) {
		struct text one = text_of(field.at, http_cookie_len(field.at, field.len));
		size_t passed = one.len < field.len ? one.len + 1 : one.len;

		field.at += passed;
		field.len -= passed;
		while (one.len && (*one.at == ' ' || *one.at == '\t'))
			one.at++, one.len--;
		while (one.len && (one.at[one.len - 1] == ' ' || one.at[one.len - 1] == '\t'))
			one.len--;
		if (one.len >= len && !strncmp(one.at, wanted, len) && memchr(one.at, '=', one.len)) {
			*ret = one;
			return true;
		}
		if (m->is_response)
			return false;
	}
	return false;
}

void capture_fields(struct captures *c, const struct capture_slots *s, enum capture_side side,
		    const struct http_msg *m)
{
	for (unsigned i = 0; i < s->n[side]; i++) {
		const char *name = s->slot[side][i].header;

		for (unsigned k = 0; name && k < m->n_fields; k++) /* the last one counts */
			if (http_same_name(http_text(m, m->field[k].name), m->field[k].name.len,
					   name, strlen(name)))
				capture_set(c, s, side, i, value_of(m, &m->field[k]));
	}
}

void capture_cookie(struct captures *c, const struct capture_slots *s, enum capture_side side,
		    const struct http_msg *m)
{
	const char *field = side == CAPTURE_REQUEST ? "cookie" : "set-cookie";

	for (unsigned k = 0; s->cookie && !c->cookie[side] && k < m->n_fields; k++) { /* the first one counts */
		struct text t;

		if (http_same_name(http_text(m, m->field[k].name), m->field[k].name.len, field,
				   strlen(field)) &&
		    find_cookie(m, value_of(m, &m->field[k]), s->cookie, &t))
			keep(&c->cookie[side], t, s->cookie_len);
	}
}

void captures_clear(struct captures *c)
{
	for (unsigned side = 0; side < 2; side++) {
		for (unsigned i = 0; i < CAPTURES_MAX; i++)
			free(c->at[side][i]);
		free(c->cookie[side]);
	}
	*c = (struct captures){.cookie = {NULL}};
}
