/* SPDX-License-Identifier: MIT */
/* set-map(FILE) KEY VALUE, del-map(FILE) KEY, add-acl(FILE) KEY, del-acl(FILE) KEY */
#include "rules/rule.h"

#include <stdio.h>
#include <string.h>

#include "rules/map.h"

#define KEY_MAX 4096 /* bytes */

static bool write_key(const struct format *f, struct run *r, char *buf)
{
	struct text t;

	if (!format_write(f, r, &t) || t.len >= KEY_MAX || memchr(t.at, '\0', t.len))
		return false;
	memcpy(buf, t.at, t.len);
	buf[t.len] = '\0';
	return true;
}

void run_change_map(const struct rule *rule, struct run *r, struct verdict *v)
{
	struct map *m = rule->map;
	char key[KEY_MAX], value[KEY_MAX];
	struct rule_error e;

	if (!write_key(&rule->format, r, key) ||
	    (rule->data == CHANGE_SET && !write_key(&rule->value, r, value)))
		return;
	switch (rule->data) {
	case CHANGE_SET:
		if (!map_set(m, key, value))
			map_add(m, key, value, &e);
		break;
	case CHANGE_ADD:
		map_del(m, key); /* it is there once */
		map_add(m, key, NULL, &e);
		break;
	default:
		map_del(m, key);
	}
}

bool read_change_map(struct words *w, struct rule *rule)
{
	const char *open = strchr(w->word[0], '('), *close = open ? strrchr(open, ')') : NULL;
	char name[4096];

	if (!open || !close || close[1] || close == open + 1)
		return rule_fail(w->e, "\"%.100s\" needs the name of a file: %.*s(FILE)",
				 w->word[0], (int)strcspn(w->word[0], "("), w->word[0]);
	if (!w->r->memory->shared)
		return rule_fail(w->e, "no files may be read here");
	snprintf(name, sizeof(name), "%.*s", (int)(close - open - 1), open + 1);
	rule->map = map_get(w->r->memory->shared, name);
	if (!rule->map)
		return rule_fail(w->e, "%s", "");
	return rule_read_format(w, "a key", &rule->format) &&
	       (rule->data != CHANGE_SET || rule_read_format(w, "a value", &rule->value));
}
