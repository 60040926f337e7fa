/* SPDX-License-Identifier: MIT */
/* Converters that look a value up in a map: map_beg(FILE[,DEFAULT]) and its like. */
#include <string.h>

#include "rules/map.h"
#include "rules/regex.h"

/* The text of a value as the converter's type. */
static bool give(struct text t, enum sample_type out, struct sample *ret)
{
	int64_t number;

	switch (out) {
	case SAMPLE_INT:
		if (!text_to_int(t, &number))
			return false;
		*ret = sample_int(number);
		return true;
	case SAMPLE_IPV4:
		return text_to_ip(t, ret);
	default:
		*ret = sample_text(SAMPLE_STR, t.at, t.len);
		return true;
	}
}

enum {
	PLAIN,
	FILLED, /* \1 in the value is what the expression matched */
};

static bool look_up(const struct conv *c, const struct expr_arg *arg, unsigned n_args,
		    struct run *r, struct sample *s)
{
	struct map_view *v = (struct map_view *)(uintptr_t)arg[0].object;
	struct text group[REGEX_GROUPS], value;

	memset(group, 0, sizeof(group));
	if (map_view_value(v, s, &r->scratch, c->data == FILLED ? group : NULL, &value))
		return (c->data != FILLED || regex_fill(group, value, &r->scratch, &value)) &&
		       give(value, c->out, s);
	return n_args > 1 && give(arg[1].text, c->out, s);
}

static bool open_map(struct expr_arg *arg, unsigned n_args, const struct rule_memory *m,
		     enum match match, enum sample_type out, struct rule_error *e)
{
	struct map *map;
	struct sample s;

	if (!m->shared)
		return rule_fail(e, "no files may be read here");
	map = map_get(m->shared, arg[0].text.at);
	if (!map)
		return rule_fail(e, "%s", "");
	if (!map_load(map, m->shared, true, e))
		return false;
	arg[0].object = map_view(map, match, false, e);
	if (arg[0].object && n_args > 1 && !give(arg[1].text, out, &s))
		return rule_fail(e, "the default \"%s\" is not of the type of this map",
				 arg[1].text.at);
	return arg[0].object;
}

#define CHECK(name, match, out)                                                              \
	static bool name(struct expr_arg *arg, unsigned n_args, const struct rule_memory *m, \
			 struct rule_error *e)                                               \
	{                                                                                    \
		return open_map(arg, n_args, m, match, out, e);                              \
	}
#define CHECKS(match, name)                  \
	CHECK(name##_str, match, SAMPLE_STR) \
	CHECK(name##_int, match, SAMPLE_INT) \
	CHECK(name##_ip, match, SAMPLE_IPV4)

CHECKS(MATCH_STR, str)
CHECKS(MATCH_BEG, beg)
CHECKS(MATCH_SUB, sub)
CHECKS(MATCH_DIR, dir)
CHECKS(MATCH_DOM, dom)
CHECKS(MATCH_END, end)
CHECKS(MATCH_REG, reg)
CHECKS(MATCH_INT, number)
CHECKS(MATCH_IP, ip)

/* map_regm */
static bool regm_str(struct expr_arg *arg, unsigned n_args, const struct rule_memory *m, struct rule_error *e)
{
	if (!reg_str(arg, n_args, m, e))
		return false;
	map_view_fills((struct map_view *)(uintptr_t)arg[0].object);
	return true;
}

const struct conv convs_map[] = {
    {"map", "sS", SAMPLE_STR, SAMPLE_STR, look_up, PLAIN, str_str, false},
    {"map_beg", "sS", SAMPLE_STR, SAMPLE_STR, look_up, PLAIN, beg_str, false},
    {"map_beg_int", "sS", SAMPLE_STR, SAMPLE_INT, look_up, PLAIN, beg_int, false},
    {"map_beg_ip", "sS", SAMPLE_STR, SAMPLE_IPV4, look_up, PLAIN, beg_ip, false},
    {"map_beg_str", "sS", SAMPLE_STR, SAMPLE_STR, look_up, PLAIN, beg_str, false},
    {"map_dir", "sS", SAMPLE_STR, SAMPLE_STR, look_up, PLAIN, dir_str, false},
    {"map_dir_int", "sS", SAMPLE_STR, SAMPLE_INT, look_up, PLAIN, dir_int, false},
    {"map_dir_ip", "sS", SAMPLE_STR, SAMPLE_IPV4, look_up, PLAIN, dir_ip, false},
    {"map_dir_str", "sS", SAMPLE_STR, SAMPLE_STR, look_up, PLAIN, dir_str, false},
    {"map_dom", "sS", SAMPLE_STR, SAMPLE_STR, look_up, PLAIN, dom_str, false},
    {"map_dom_int", "sS", SAMPLE_STR, SAMPLE_INT, look_up, PLAIN, dom_int, false},
    {"map_dom_ip", "sS", SAMPLE_STR, SAMPLE_IPV4, look_up, PLAIN, dom_ip, false},
    {"map_dom_str", "sS", SAMPLE_STR, SAMPLE_STR, look_up, PLAIN, dom_str, false},
    {"map_end", "sS", SAMPLE_STR, SAMPLE_STR, look_up, PLAIN, end_str, false},
    {"map_end_int", "sS", SAMPLE_STR, SAMPLE_INT, look_up, PLAIN, end_int, false},
    {"map_end_ip", "sS", SAMPLE_STR, SAMPLE_IPV4, look_up, PLAIN, end_ip, false},
    {"map_end_str", "sS", SAMPLE_STR, SAMPLE_STR, look_up, PLAIN, end_str, false},
    {"map_int", "sS", SAMPLE_INT, SAMPLE_STR, look_up, PLAIN, number_str, false},
    {"map_int_int", "sS", SAMPLE_INT, SAMPLE_INT, look_up, PLAIN, number_int, false},
    {"map_int_ip", "sS", SAMPLE_INT, SAMPLE_IPV4, look_up, PLAIN, number_ip, false},
    {"map_int_str", "sS", SAMPLE_INT, SAMPLE_STR, look_up, PLAIN, number_str, false},
    {"map_ip", "sS", SAMPLE_IPV6, SAMPLE_STR, look_up, PLAIN, ip_str, false},
    {"map_ip_int", "sS", SAMPLE_IPV6, SAMPLE_INT, look_up, PLAIN, ip_int, false},
    {"map_ip_ip", "sS", SAMPLE_IPV6, SAMPLE_IPV4, look_up, PLAIN, ip_ip, false},
    {"map_ip_str", "sS", SAMPLE_IPV6, SAMPLE_STR, look_up, PLAIN, ip_str, false},
    {"map_reg", "sS", SAMPLE_STR, SAMPLE_STR, look_up, PLAIN, reg_str, false},
    {"map_reg_int", "sS", SAMPLE_STR, SAMPLE_INT, look_up, PLAIN, reg_int, false},
    {"map_reg_ip", "sS", SAMPLE_STR, SAMPLE_IPV4, look_up, PLAIN, reg_ip, false},
    {"map_reg_str", "sS", SAMPLE_STR, SAMPLE_STR, look_up, PLAIN, reg_str, false},
    {"map_regm", "sS", SAMPLE_STR, SAMPLE_STR, look_up, FILLED, regm_str, false},
    {"map_str", "sS", SAMPLE_STR, SAMPLE_STR, look_up, PLAIN, str_str, false},
    {"map_str_int", "sS", SAMPLE_STR, SAMPLE_INT, look_up, PLAIN, str_int, false},
    {"map_str_ip", "sS", SAMPLE_STR, SAMPLE_IPV4, look_up, PLAIN, str_ip, false},
    {"map_str_str", "sS", SAMPLE_STR, SAMPLE_STR, look_up, PLAIN, str_str, false},
    {"map_sub", "sS", SAMPLE_STR, SAMPLE_STR, look_up, PLAIN, sub_str, false},
    {"map_sub_int", "sS", SAMPLE_STR, SAMPLE_INT, look_up, PLAIN, sub_int, false},
    {"map_sub_ip", "sS", SAMPLE_STR, SAMPLE_IPV4, look_up, PLAIN, sub_ip, false},
    {"map_sub_str", "sS", SAMPLE_STR, SAMPLE_STR, look_up, PLAIN, sub_str, false},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};
