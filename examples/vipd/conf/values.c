/* SPDX-License-Identifier: MIT */
/* What the values of keywords look like: the handlers that the tables of all blocks share. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/words.h"

#define SHELL_CHARACTERS "|&;<>()$`*?[]~\\\"'"

static void *member(void *target, const struct conf_keyword *k)
{
	return (char *)target + k->offset;
}

/* Configurations say the same again and again: it is kept once. */
const char *conf_keep(struct conf_parse *p, const char *text)
{
	size_t len = strlen(text);
	const char *known = conf_index_find(&p->texts, text, len);

	if (!known) {
		known = conf_strndup(p->memory, text, len);
		conf_index_add(p->scratch, &p->texts, known, len, (void *)(uintptr_t)known);
	}
	return known;
}

const char *conf_keep_word(struct conf_parse *p, const struct conf_node *n, size_t i)
{
	return i < n->n ? conf_keep(p, n->word[i].text) : NULL;
}

const struct conf_word *conf_argument(struct conf_parse *p, const struct conf_node *n)
{
	if (n->n > 1)
		return &n->word[1];
	conf_warn(p, &n->word->at, "\"%s\" needs a value: skipped", n->word->text);
	return NULL;
}

/* Nearly all are a few digits, for which strtod is a long way. */
static bool read_number(const char *text, double *ret)
{
	uint32_t whole = 0;
	size_t n = 0;
	char *end;

	for (; n < 9 && text[n] >= '0' && text[n] <= '9'; n++)
		whole = 10 * whole + (uint32_t)(text[n] - '0');
	if (n && !text[n]) {
		*ret = whole;
		return true;
	}
	errno = 0;
	*ret = strtod(text, &end);
	return end != text && !*end && !errno && !strpbrk(text, "eExXnNpP");
}

bool conf_number(struct conf_parse *p, const struct conf_word *w, double min, double max,
		 bool whole, double *ret)
{
	double v;

	if (!read_number(w->text, &v)) {
		conf_warn(p, &w->at, "\"%s\" is not a number: skipped", w->text);
		return false;
	}
	if (v < min || v > max || (whole && v != (double)(int64_t)v)) {
		conf_warn(p, &w->at, "\"%s\" is not %s from %.10g to %.10g: skipped", w->text,
			  whole ? "a whole number" : "a number", min, max);
		return false;
	}
	*ret = v;
	return true;
}

bool conf_read_port(struct conf_parse *p, const struct conf_word *w, uint16_t *ret)
{
	double v;

	if (!conf_number(p, w, 0, 65535, true, &v))
		return false;
	*ret = (uint16_t)v;
	return true;
}

bool conf_read_flag(struct conf_parse *p, const struct conf_node *n, bool *ret)
{
	static const struct {
		const char *word;
		bool value;
	} known[] = {{"on", true},   {"true", true},   {"yes", true},
		     {"off", false}, {"false", false}, {"no", false}};

	*ret = true;
	if (n->n < 2)
		return true;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!strcasecmp(n->word[1].text, known[i].word)) {
			*ret = known[i].value;
			return true;
		}
	}
	conf_warn(p, &n->word[1].at, "\"%s\" takes on or off, not \"%s\": skipped", n->word->text,
		  n->word[1].text);
	return false;
}

void conf_set_flag(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		   void *target)
{
	bool v;

	if (conf_read_flag(p, n, &v))
		*(bool *)member(target, k) = v;
}

void conf_clear_flag(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	bool v;

	if (conf_read_flag(p, n, &v))
		*(bool *)member(target, k) = !v;
}

void conf_set_tristate(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
	bool v;

	if (conf_read_flag(p, n, &v))
		*(int *)member(target, k) = v;
}

void conf_clear_tristate(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	bool v;

	if (conf_read_flag(p, n, &v))
		*(int *)member(target, k) = !v;
}

void conf_set_int(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		  void *target)
{
	const struct conf_word *w = conf_argument(p, n);
	double v;

	if (w && conf_number(p, w, k->min, k->max, true, &v))
		*(int *)member(target, k) = (int)v;
}

void conf_set_frames(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	const struct conf_word *w = conf_argument(p, n);
	double v;

	if (!w || !conf_number(p, w, 0, k->max, true, &v))
		return;
	if (v == 0)
		conf_warn(p, &w->at, "from 0 frames nobody learns: 1 is taken");
	*(int *)member(target, k) = v == 0 ? 1 : (int)v;
}

void conf_set_seconds(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	const struct conf_word *w = conf_argument(p, n);
	double v;

	if (w && conf_number(p, w, k->min, k->max, false, &v))
		*(int64_t *)member(target, k) = (int64_t)(v * 1000 + 0.5);
}

void conf_set_check_seconds(struct conf_parse *p, const struct conf_node *n,
			    const struct conf_keyword *k, void *target)
{
	const struct conf_word *w = conf_argument(p, n);
	double v;

	if (w && conf_number(p, w, k->min, k->max, false, &v))
		*(int *)member(target, k) = (int)(v * 1000 + 0.5);
}

void conf_set_garp_extra(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	struct conf_garp *g = member(target, k);
	const struct conf_word *w = conf_argument(p, n);
	bool all = w && !strcmp(w->text, "all");
	double v;

	if (all && n->n < 3)
		conf_warn(p, &w->at, "\"%s\" needs a number behind all: skipped", n->word->text);
	else if (w && conf_number(p, w + all, k->min, k->max, false, &v)) {
		g->extra_ms = (int64_t)(v * 1000 + 0.5);
		g->extra_all = all;
	}
}

void conf_set_string(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	const struct conf_word *w = conf_argument(p, n);

	if (w)
		*(const char **)member(target, k) = conf_keep(p, w->text);
}

void conf_set_name(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		   void *target)
{
	const struct conf_word *w = conf_argument(p, n);

	if (!w)
		return;
	if (!*w->text || strlen(w->text) > 15 || strpbrk(w->text, "/ \t"))
		conf_warn(p, &w->at, "\"%s\" is not the name of an interface: skipped", w->text);
	else
		*(const char **)member(target, k) = conf_keep(p, w->text);
}

void conf_set_file_part(struct conf_parse *p, const struct conf_node *n,
			const struct conf_keyword *k, void *target)
{
	const struct conf_word *w = conf_argument(p, n);

	if (!w)
		return;
	if (!*w->text || *w->text == '.' || strchr(w->text, '/') || strlen(w->text) > CONF_NAME_MAX)
		conf_warn(p, &w->at,
			  "\"%s\" cannot be part of a file name: write at most %d characters, "
			  "without / and no dot in front. Skipped",
			  w->text, CONF_NAME_MAX);
	else
		*(const char **)member(target, k) = conf_keep(p, w->text);
}

/* Of "10.0.0.1/24" the address counts, as in keepalived. */
bool conf_read_ip(struct conf_parse *p, const struct conf_word *w, struct ha_ip *ret)
{
	size_t len = strcspn(w->text, "/");

	if (!w->text[len])
		return ha_ip_parse(w->text, ret) >= 0;
	if (ha_ip_parse(conf_strndup(p->scratch, w->text, len), ret) < 0)
		return false;
	conf_note(p, &w->at, "of \"%s\" the address counts: write it without a mask", w->text);
	return true;
}

/* `min` is the IP version that is wanted, 0: any. */
void conf_set_ip(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		 void *target)
{
	const struct conf_word *w = conf_argument(p, n);
	struct ha_ip ip;

	if (!w)
		return;
	if (!conf_read_ip(p, w, &ip))
		conf_warn(p, &w->at, "\"%s\" is not an address: skipped", w->text);
	else if ((k->min == 4 && ip.family != AF_INET) || (k->min == 6 && ip.family != AF_INET6))
		conf_warn(p, &w->at, "\"%s\" is not an IPv%d address: skipped", w->text,
			  (int)k->min);
	else
		*(struct ha_ip *)member(target, k) = ip;
}

void conf_set_cpus(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		   void *target)
{
	uint64_t cpus = 0;

	conf_argument(p, n);
	for (size_t i = 1; i < n->n; i++) {
		double v;

		if (conf_number(p, &n->word[i], k->min, k->max, true, &v))
			cpus |= UINT64_C(1) << (int)v;
	}
	if (cpus)
		*(uint64_t *)member(target, k) = cpus;
}

/* ---- Scripts ---- */

static const char *const *shell_argv(struct conf_parse *p, const char *text)
{
	const char **argv = conf_alloc(p->memory, 4 * sizeof(*argv));

	argv[0] = "/bin/sh";
	argv[1] = "-c";
	argv[2] = conf_keep(p, text);
	return argv;
}

static const char *const *split_argv(struct conf_parse *p, const struct conf_word *w)
{
	const char **argv = conf_alloc(p->memory, (CONF_ARGS_MAX + 1) * sizeof(*argv));
	size_t n = 0, len;

	for (const char *at = w->text + strspn(w->text, " \t"); *at; at += strspn(at, " \t")) {
		len = strcspn(at, " \t");
		if (n == CONF_ARGS_MAX) {
			conf_warn(p, &w->at, "a script takes at most %d words: the rest is cut off",
				  CONF_ARGS_MAX);
			break;
		}
		argv[n++] = conf_strndup(p->memory, at, len);
		at += len;
	}
	return n ? argv : NULL;
}

/*
 * The script's words, then its user and group. What only a shell understands is given to a shell,
 * as keepalived does; all else is executed directly.
 */
void conf_script_of(struct conf_parse *p, const struct conf_word *w, size_t n,
		    struct conf_script *ret)
{
	*ret = (struct conf_script){.at = w->at};
	ret->argv = strpbrk(w->text, SHELL_CHARACTERS) ? shell_argv(p, w->text) : split_argv(p, w);
	ret->user = n > 1 ? conf_keep(p, w[1].text) : NULL;
	ret->group = n > 2 ? conf_keep(p, w[2].text) : NULL;
}

void conf_set_script(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	const struct conf_word *w = conf_argument(p, n);

	if (w)
		conf_script_of(p, w, n->n - 1, member(target, k));
}
