/* SPDX-License-Identifier: MIT */
/* The table of actions, how a rule is read, and how a set of them is run. */
#include "rules/rule.h"

#include <ctype.h>
#include <string.h>

/* ---- The words of an action, one after the other ---- */

const char *rule_next_word(struct words *w)
{
	return w->i < w->n ? w->word[w->i++] : NULL;
}

bool rule_is_condition(const char *word)
{
	return !strcmp(word, "if") || !strcmp(word, "unless");
}

const char *rule_need_word(struct words *w, const char *what)
{
	if (w->i >= w->n || rule_is_condition(w->word[w->i])) {
		rule_fail(w->e, "%s is missing", what);
		return NULL;
	}
	return rule_next_word(w);
}

const char *rule_keep_text(struct words *w, const char *text)
{
	char *copy = w->r->memory->alloc(w->r->memory->owner, strlen(text) + 1);

	if (!copy) {
		rule_fail(w->e, "%s", "");
		return NULL;
	}
	return strcpy(copy, text);
}
bool is_token(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("!#$%&'*+-.^_`|~", *text))
			return false;
	return true;
}

bool rule_read_format(struct words *w, const char *what, struct format *ret)
{
	const char *text = rule_need_word(w, what);

	return text && format_parse_http(text, w->r->memory, ret, w->e);
}

bool rule_read_number(struct words *w, const char *what, unsigned min, unsigned max, unsigned *ret)
{
	const char *text = rule_need_word(w, what);
	int64_t value;

	if (!text)
		return false;
	if (!*text || text[strspn(text, "0123456789")] ||
	    !text_to_int(text_of(text, strlen(text)), &value) || value < min || value > max)
		return rule_fail(w->e, "\"%s\" is not %s: write a number from %u to %u", text, what,
				 min, max);
	*ret = (unsigned)value;
	return true;
}

/* The next word is this one: it is taken. */
bool rule_take_word(struct words *w, const char *word)
{
	if (w->i >= w->n || strcmp(w->word[w->i], word) != 0)
		return false;
	w->i++;
	return true;
}

bool rule_read_expr(struct words *w, struct expr *ret)
{
	const char *text = rule_need_word(w, "an expression"), *rest;

	if (!text || !expr_parse(text, w->r->memory, ret, &rest, w->e))
		return false;
	return !*rest || rule_fail(w->e, "\"%s\" is too much behind the expression", rest);
}

static bool read_nothing(struct words *w, struct rule *rule)
{
	return true;
}

/* What cannot be done fails the request: HAProxy's strict-mode, its default. */
void fail_rule(struct verdict *v)
{
	v->kind = VERDICT_ERROR;
	v->status = 500;
}

/* No rule makes two fields of one. */
bool is_field_value(struct text t)
{
	return !t.len || (!memchr(t.at, '\r', t.len) && !memchr(t.at, '\n', t.len) &&
			  !memchr(t.at, '\0', t.len));
}

/* "prometheus-exporter"; HAProxy's others come from Lua. */
static bool read_service(struct words *w, struct rule *rule)
{
	const char *name = rule_need_word(w, "the name of a service");

	if (name && strcmp(name, "prometheus-exporter") != 0)
		return rule_fail(w->e, "there is no service \"%.100s\": write prometheus-exporter",
				 name);
	return name;
}

/* Words of which nothing is done: caching, and what is so anyway. */
static void run_nothing(const struct rule *rule, struct run *r, struct verdict *v)
{
}

static void run_no_retry(const struct rule *rule, struct run *r, struct verdict *v)
{
	v->no_retry = true;
}

/* True with w->e->text: a warning. */
static bool read_unused(struct words *w, struct rule *rule)
{
	const char *word = rule_need_word(w, "its argument");

	if (!word)
		return false;
	if (rule->data == 1)
		rule_fail(w->e, "answers are not cached by this version: this line does nothing");
	if (rule->data == 2 && strcmp(word, "on") != 0 && strcmp(word, "off") != 0)
		return rule_fail(w->e, "\"%s\" is neither on nor off", word);
	if (rule->data == 2 && !strcmp(word, "off"))
		rule_fail(w->e,
			  "a rule that cannot be carried out fails the request in this version");
	return true;
}

/* ---- The table ---- */

#define IN_REQUEST (1u << RULES_REQUEST)
#define IN_RESPONSE (1u << RULES_RESPONSE)
#define IN_AFTER (1u << RULES_AFTER_RESPONSE)
#define IN_CONNECTION (1u << RULES_CONNECTION)
#define IN_SESSION (1u << RULES_SESSION)
#define IN_CONTENT (1u << RULES_CONTENT)
#define IN_ANSWER (1u << RULES_TCP_RESPONSE)
#define IN_ANY_RESPONSE (IN_RESPONSE | IN_AFTER)
#define IN_HTTP (IN_REQUEST | IN_ANY_RESPONSE)
#define IN_TCP_REQUEST (IN_CONNECTION | IN_SESSION | IN_CONTENT)
#define IN_TCP (IN_TCP_REQUEST | IN_ANSWER)
#define IN_ALL (IN_HTTP | IN_TCP)

static const struct action {
	const char *name;
	unsigned kinds;
	bool (*read)(struct words *w, struct rule *rule);
	run_fn *run;
	int data;
	unsigned number;
} actions[] = {
    {"accept", IN_TCP, read_nothing, run_verdict, VERDICT_ALLOW, 0},
    {"add-acl", IN_HTTP, read_change_map, run_change_map, CHANGE_ADD, 0},
    {"add-header", IN_HTTP, read_header, run_header, HEADER_ADD, 0},
    {"allow", IN_HTTP, read_nothing, run_verdict, VERDICT_ALLOW, 0},
    {"auth", IN_REQUEST, read_auth, run_verdict, VERDICT_RETURN, 401},
    {"cache-store", IN_RESPONSE, read_unused, run_nothing, 1, 0},
    {"cache-use", IN_REQUEST, read_unused, run_nothing, 1, 0},
    {"capture", IN_HTTP | IN_CONTENT, read_capture, run_capture, 0, 0},
    {"close", IN_ANSWER, read_nothing, run_verdict, VERDICT_CLOSE, 0},
    {"del-acl", IN_HTTP, read_change_map, run_change_map, CHANGE_DELETE, 0},
    {"del-header", IN_HTTP, read_header, run_header, HEADER_DEL, 0},
    {"del-map", IN_HTTP, read_change_map, run_change_map, CHANGE_DELETE, 0},
    {"deny", IN_REQUEST, read_answer, run_verdict, VERDICT_DENY, 403},
    {"deny", IN_RESPONSE, read_answer, run_verdict, VERDICT_DENY, 502},
    {"disable-l7-retry", IN_REQUEST, read_nothing, run_no_retry, 0, 0},
    {"do-resolve", IN_REQUEST | IN_CONTENT, read_resolve, run_resolve, 0, 0},
    {"early-hint", IN_REQUEST, read_hint, run_hint, 0, 0},
    {"expect-netscaler-cip", IN_CONNECTION, read_expect_proxy, run_expect_cip, 0, 0},
    {"expect-proxy", IN_CONNECTION, read_expect_proxy, run_expect_proxy, 0, 0},
    {"normalize-uri", IN_REQUEST, read_normalize, run_normalize, 0, 0},
    {"pause", IN_REQUEST | IN_RESPONSE, read_pause, run_pause, 0, 0},
    {"redirect", IN_REQUEST | IN_RESPONSE, read_redirect, run_redirect, 0, 0},
    {"reject", IN_REQUEST | IN_TCP, read_nothing, run_verdict, VERDICT_REJECT, 0},
    {"replace-header", IN_HTTP, read_replace_header, run_replace_header, 0, 0},
    {"replace-path", IN_REQUEST, read_replace_part, run_replace_part, PART_PATH, 0},
    {"replace-pathq", IN_REQUEST, read_replace_part, run_replace_part, PART_PATH_QUERY, 0},
    {"replace-uri", IN_REQUEST, read_replace_part, run_replace_part, PART_URI, 0},
    {"replace-value", IN_HTTP, read_replace_header, run_replace_header, REPLACE_VALUE, 0},
    {"return", IN_REQUEST | IN_RESPONSE, read_answer, run_verdict, VERDICT_RETURN, 200},
    {"sc-add-gpc", IN_REQUEST | IN_RESPONSE | IN_TCP, read_tag, run_add, TABLE_GPC, 0},
    {"sc-inc-gpc", IN_REQUEST | IN_RESPONSE | IN_TCP, read_count, run_count, TABLE_GPC, 0},
    {"sc-inc-gpc0", IN_REQUEST | IN_RESPONSE | IN_TCP, read_count, run_count, TABLE_GPC0, 0},
    {"sc-inc-gpc1", IN_REQUEST | IN_RESPONSE | IN_TCP, read_count, run_count, TABLE_GPC1, 0},
    {"sc-set-gpt", IN_REQUEST | IN_RESPONSE | IN_TCP, read_tag, run_tag, TABLE_GPT, 0},
    {"sc-set-gpt0", IN_REQUEST | IN_RESPONSE | IN_TCP, read_tag, run_tag, TABLE_GPT0, 0},
    {"set-bandwidth-limit", IN_REQUEST | IN_RESPONSE | IN_CONTENT | IN_ANSWER, read_bandwidth, run_bandwidth, 0, 0},
    {"set-dst", IN_REQUEST | IN_TCP_REQUEST, read_set_end, run_set_end, SET_DESTINATION, 0},
    {"set-dst-port", IN_REQUEST | IN_TCP_REQUEST, read_set_end, run_set_end,
     SET_DESTINATION | SET_PORT, 0},
    /* HAProxy 3.0's names of set-mark and set-tos */
    {"set-fc-mark", IN_REQUEST | IN_RESPONSE | IN_TCP, read_packet, run_packet, PACKET_MARK, 0},
    {"set-fc-tos", IN_REQUEST | IN_RESPONSE | IN_TCP, read_packet, run_packet, PACKET_TOS, 0},
    {"set-header", IN_HTTP, read_header, run_header, HEADER_SET, 0},
    {"set-log-level", IN_REQUEST | IN_RESPONSE | IN_CONTENT | IN_ANSWER, read_log_level,
     run_log_level, 0, 0},
    {"set-map", IN_HTTP, read_change_map, run_change_map, CHANGE_SET, 0},
    {"set-mark", IN_REQUEST | IN_RESPONSE | IN_TCP, read_packet, run_packet, PACKET_MARK, 0},
    {"set-method", IN_REQUEST, read_start_line, run_start_line, PART_METHOD, 0},
    {"set-nice", IN_REQUEST | IN_RESPONSE | IN_CONTENT | IN_ANSWER, read_packet, run_packet,
     PACKET_NICE, 0},
    {"set-path", IN_REQUEST, read_start_line, run_start_line, PART_PATH, 0},
    {"set-pathq", IN_REQUEST, read_start_line, run_start_line, PART_PATH_QUERY, 0},
    {"set-priority-class", IN_REQUEST | IN_CONTENT, read_priority, run_priority, 0, 0},
    {"set-priority-offset", IN_REQUEST | IN_CONTENT, read_priority, run_priority, 1, 0},
    {"set-query", IN_REQUEST, read_start_line, run_start_line, PART_QUERY, 0},
    {"set-src", IN_REQUEST | IN_TCP_REQUEST, read_set_end, run_set_end, 0, 0},
    {"set-src-port", IN_REQUEST | IN_TCP_REQUEST, read_set_end, run_set_end, SET_PORT, 0},
    {"set-status", IN_ANY_RESPONSE, read_status, run_status, 0, 0},
    {"set-timeout", IN_REQUEST, read_action_timeout, run_action_timeout, 0, 0},
    {"set-tos", IN_REQUEST | IN_RESPONSE | IN_TCP, read_packet, run_packet, PACKET_TOS, 0},
    {"set-uri", IN_REQUEST, read_start_line, run_start_line, PART_URI, 0},
    {"set-var", IN_ALL, read_set_var, run_set_var, 0, 0},
    {"set-var-fmt", IN_ALL, read_set_var, run_set_var, 1, 0},
    {"silent-drop", IN_REQUEST | IN_RESPONSE | IN_TCP, read_nothing, run_verdict,
     VERDICT_SILENT_DROP, 0},
    {"strict-mode", IN_HTTP, read_unused, run_nothing, 2, 0},
    {"switch-mode", IN_CONTENT, read_switch, run_switch, 0, 0},
    {"tarpit", IN_REQUEST, read_answer, run_verdict, VERDICT_TARPIT, 500},
    {"use-service", IN_REQUEST, read_service, run_verdict, VERDICT_METRICS, 0},
    {"track-sc0", IN_REQUEST | IN_RESPONSE | IN_TCP_REQUEST, read_track, run_track, 0, 0},
    {"track-sc1", IN_REQUEST | IN_RESPONSE | IN_TCP_REQUEST, read_track, run_track, 1, 0},
    {"track-sc2", IN_REQUEST | IN_RESPONSE | IN_TCP_REQUEST, read_track, run_track, 2, 0},
    {"unset-var", IN_ALL, read_unset_var, run_unset_var, 0, 0},
    {"wait-for-body", IN_REQUEST | IN_RESPONSE, read_wait_body, run_wait_body, 0, 0},
    {"wait-for-handshake", IN_REQUEST, read_nothing, run_nothing, 0, 0}, /* no request comes before it: no early data */
};
#define N_ACTIONS (sizeof(actions) / sizeof(*actions))

static unsigned bit_of(enum rules_kind kind)
{
	return 1u << kind;
}

static const struct action *find_action(const char *word, enum rules_kind kind)
{
	size_t len = strcspn(word, "(");

	for (size_t i = 0; i < N_ACTIONS; i++)
		if ((actions[i].kinds & bit_of(kind)) && strlen(actions[i].name) == len &&
		    !strncmp(actions[i].name, word, len))
			return &actions[i];
	return NULL;
}

const char *rules_action_name(enum rules_kind kind, unsigned index)
{
	for (size_t i = 0; i < N_ACTIONS; i++)
		if ((actions[i].kinds & bit_of(kind)) && !index--)
			return actions[i].name;
	return NULL;
}

void rules_init(struct rules *rules)
{
	*rules = (struct rules){.first = NULL};
	rules->tail = &rules->first;
}

unsigned rule_line(const struct rule *rule)
{
	return rule->line;
}

const char *rule_file(const struct rule *rule)
{
	return rule->file;
}

static bool read_condition(struct words *w, struct rule *rule, size_t *ret_word)
{
	size_t wrong;

	if (w->i == w->n)
		return true;
	if (!rule_is_condition(w->word[w->i]))
		return rule_fail(w->e,
				 "\"%s\" is too much here: a condition begins with if or unless",
				 w->word[w->i]);
	rule->cond = w->r->memory->alloc(w->r->memory->owner, sizeof(*rule->cond));
	if (!rule->cond)
		return rule_fail(w->e, "%s", "");
	if (cond_parse(w->r, w->word + w->i, w->n - w->i, rule->cond, &wrong, w->e))
		return true;
	*ret_word = w->i + wrong;
	return false;
}

static unsigned answer_needs(const struct answer *a)
{
	unsigned needs = a ? a->content.needs : 0;

	for (unsigned i = 0; a && i < a->n_headers; i++)
		needs |= a->header[i].value.needs;
	return needs;
}

/* Conditions are another matter: one that asks for what is not there is false. */
static bool is_there(const struct rule *rule, const struct acl_reader *r, struct rule_error *e)
{
	unsigned needs = rule->expr.needs | rule->format.needs | rule->value.needs | answer_needs(rule->answer);

	switch (rule->kind) {
	case RULES_CONNECTION:
		return expr_may_stand(needs, EXPR_NOT_AT_ACCEPT | EXPR_SHAKEN, e);
	case RULES_SESSION:
		return expr_may_stand(needs, EXPR_NOT_AT_ACCEPT, e);
	case RULES_REQUEST:
	case RULES_CONTENT:
		return expr_may_stand(needs, EXPR_NOT_BEFORE_ANSWER | (r->is_frontend ? EXPR_BACKEND : 0), e);
	default:
		return expr_may_stand(needs, EXPR_NOT_BEHIND_REQUEST, e);
	}
}

bool rules_add(struct rules *rules, enum rules_kind kind, const struct acl_reader *r,
	       const char *const *word, size_t n, unsigned line, size_t *ret_word,
	       struct rule_error *e)
{
	struct words w = {.r = r, .word = word, .n = n, .i = 1, .e = e, .kind = kind};
	const struct action *a = n ? find_action(word[0], kind) : NULL;
	struct rule *rule;

	*ret_word = 0;
	if (!a)
		return rule_fail(e, "unknown action \"%.100s\"", n ? word[0] : "");
	rule = r->memory->alloc(r->memory->owner, sizeof(*rule));
	if (!rule)
		return rule_fail(e, "%s", "");
	rule->run = a->run;
	rule->line = line;
	rule->file = r->file;
	rule->number = a->number;
	rule->kind = kind;
	rule->data = a->data;
	if (!a->read(&w, rule)) {
		*ret_word = w.i ? w.i - 1 : 0;
		return false;
	}
	*ret_word = w.i < n ? w.i : n - 1;
	if (!is_there(rule, r, e))
		return false;
	if (!read_condition(&w, rule, ret_word))
		return false;
	if (rules->tail == NULL)
		rules_init(rules);
	*rules->tail = rule;
	rules->tail = &rule->next;
	return true;
}

bool rules_may_switch(const struct rules *rules)
{
	const struct rule *rule = rules->first;

	while (rule && rule->run != run_switch)
		rule = rule->next;
	return rule;
}

bool rules_may_answer(const struct rules *rules)
{
	for (const struct rule *rule = rules->first; rule; rule = rule->next) {
		if (rule->run == run_redirect)
			return true;
		if (rule->run != run_verdict || rule->data == VERDICT_ALLOW)
			continue;
		if (!rule->cond || rule->data == VERDICT_RETURN || rule->data == VERDICT_METRICS)
			return true;
	}
	return false;
}

void rules_find_pages(const struct rules *rules, find_page_fn *find, void *userdata)
{
	for (const struct rule *rule = rules->first; rule; rule = rule->next) {
		struct answer *a = rule->answer;

		if (!a || !a->pages)
			continue;
		a->page = find(userdata, a->pages, a->status, rule->line);
		a->pages = NULL; /* rules of a defaults section are in many */
		if (!a->page.len)
			a->kind = ANSWER_COMPOSED;
	}
}

bool rules_copy(struct rules *to, const struct rules *from, const struct rule_memory *m)
{
	for (const struct rule *rule = from->first; rule; rule = rule->next) {
		struct rule *copy = m->alloc(m->owner, sizeof(*copy));

		if (!copy)
			return false;
		*copy = *rule;
		copy->next = NULL;
		*to->tail = copy;
		to->tail = &copy->next;
	}
	return true;
}

static void run_from(const struct rule *rule, struct run *r, struct verdict *ret)
{
	*ret = (struct verdict){.kind = VERDICT_GO_ON, .log_level = ret->log_level};
	r->so_far = ret;
	for (; rule; rule = rule->next) {
		enum cond_result now = rule->cond ? cond_test(rule->cond, r) : COND_TRUE;

		if (now == COND_FALSE)
			continue;
		if (now == COND_TRUE)
			rule->run(rule, r, ret);
		else
			ret->kind = VERDICT_WAIT;
		if (ret->kind != VERDICT_GO_ON) {
			ret->rule = rule;
			break;
		}
		r->scratch.used = 0; /* messages keep what they need in their own buffers */
	}
	r->so_far = NULL;
}

void rules_run(const struct rules *rules, struct run *r, struct verdict *ret)
{
	run_from(rules->first, r, ret);
}

void rules_run_on(const struct rule *last, struct run *r, struct verdict *ret)
{
	run_from(last->next, r, ret);
}
