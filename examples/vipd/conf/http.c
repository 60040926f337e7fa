/* SPDX-License-Identifier: MIT */
/* HTTP_GET and SSL_GET. */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <libhealth/foreign.h>
#include <libhealth/probe_http.h>

#include "conf/checker.h"
#include "regex.h"

/* A url while it is read. */
struct url {
	struct conf_url url;
	const struct conf_word *regex;
	uint32_t regex_options;
};

#define URL(member) offsetof(struct url, url.member)

/* ---- url ---- */

static void set_status(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
	struct conf_url *u = &((struct url *)target)->url;
	struct conf_status *status = conf_alloc(p->memory, (n->n - 1) * sizeof(*status));

	if (!conf_argument(p, n))
		return;
	u->status = status;
	u->n_status = 0;
	for (size_t i = 1; i < n->n; i++) {
		const struct conf_word *w = &n->word[i];
		int first = 0, last = 0, end = 0,
		    m = sscanf(w->text, "%3d%n-%3d%n", &first, &end, &last, &end);

		if (m == 1)
			last = first;
		if (m < 1 || w->text[end] || first < 100 || last > 999 || last < first) {
			conf_warn(p, &w->at,
				  "\"%s\" is no HTTP status: write 200, or 200-299. Skipped",
				  w->text);
		} else if (u->n_status == CONF_STATUS_MAX) {
			conf_warn(p, &w->at, "more than %d status codes: skipped", CONF_STATUS_MAX);
			return;
		} else {
			status[u->n_status].first = (uint16_t)first;
			status[u->n_status++].last = (uint16_t)last;
		}
	}
}

static void set_digest(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
	const struct conf_word *w = conf_argument(p, n);
	size_t len = 0;

	if (!w)
		return;
	while (isxdigit((unsigned char)w->text[len]))
		len++;
	if (len != 32 || w->text[len])
		conf_warn(p, &w->at,
			  "\"%s\" is no MD5: 32 hexadecimal digits, which vipd --genhash prints. "
			  "Skipped",
			  w->text);
#ifdef HAVE_LIBCRYPTO
	else
		((struct url *)target)->url.digest = conf_keep(p, w->text);
#else
	else
		conf_warn(p, &w->at, "this vipd was built without OpenSSL: skipped");
#endif
}

static void set_regex(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	const struct conf_word *w = conf_argument(p, n);

	if (w && !regex_available())
		conf_warn(p, &w->at, "this vipd was built without PCRE2: skipped");
	else if (w && (!*w->text || strlen(w->text) + REGEX_OPTIONS_LEN > HEALTH_REGEX_MAX))
		conf_warn(p, &w->at, "a pattern has 1 to %d characters: skipped",
			  HEALTH_REGEX_MAX - REGEX_OPTIONS_LEN);
	else
		((struct url *)target)->regex = w;
}

static void set_regex_options(struct conf_parse *p, const struct conf_node *n,
			      const struct conf_keyword *k, void *target)
{
	conf_argument(p, n);
	for (size_t i = 1; i < n->n; i++)
		if (!regex_option(n->word[i].text, &((struct url *)target)->regex_options))
			conf_warn(p, &n->word[i].at,
				  "\"%s\" is no option of regular expressions: write caseless, "
				  "multiline, dotall or others of pcre2api(3). Skipped",
				  n->word[i].text);
}

static const struct conf_keyword url_words[] = {
    {"path", conf_set_sent, URL(path), '/', HEALTH_HTTP_PATH_MAX, .form = "PATH",
     .doc = "What is asked for. A url needs one."},
    {"virtualhost", conf_set_sent, URL(host), 0, HEALTH_HTTP_HOST_MAX, .form = "NAME",
     .initial = "virtualhost of the check", .doc = "Host that is asked for it."},
    {"status_code", set_status, .form = "CODE|CODE-CODE ...", .initial = "200-299",
     .doc = "Answers that are good."},
    {"digest", set_digest, .form = "MD5",
     .doc = "The content must have this hash, which vipd --genhash prints."},
    {"regex", set_regex, .form = "PATTERN", .doc = "The content must match (pcre2pattern(3))."},
    {"regex_no_match", conf_set_flag, URL(regex_no_match), .form = "", .doc = "It must not."},
    {"regex_options", set_regex_options, .form = "OPTION ...",
     .doc = "How it is matched: caseless, multiline, dotall and others of pcre2api(3)."},
    {"regex_min_offset", conf_set_int, URL(regex_min), 0, INT_MAX, .initial = "0",
     .doc = "Byte from which on a match may begin."},
    {"regex_max_offset", conf_set_int, URL(regex_max), 0, INT_MAX,
     .doc = "Byte at which it must have begun."},
    {CONF_NOTED("regex_stack", "BYTES BYTES", "Memory for it.",
		"PCRE2 runs without its compiler here, whose stack this is")},
    {"tls_compliant", conf_set_flag, URL(close_notify), .form = "",
     .doc = "SSL_GET: as tls_compliant of the check."},
    {0}};
static const struct conf_block url_block = {.name = "url", .keyword = url_words};

/* Options and pattern as one text, when it is good. */
static void finish_regex(struct conf_parse *p, const struct conf_node *n, struct url *u)
{
	const char *why;
	size_t at = 0;

	if (!u->regex) {
		if (u->regex_options || u->url.regex_no_match || u->url.regex_min ||
		    u->url.regex_max)
			conf_warn(p, &n->word->at, "this url has options of a regex, but no regex");
		u->url.regex_min = u->url.regex_max = 0;
		return;
	}
	why = regex_check(u->regex->text, u->regex_options, &at);
	if (why) {
		conf_warn(p, &u->regex->at,
			  "the pattern does not compile: %s, at its character %zu. Skipped", why,
			  at + 1);
		return;
	}
	if (u->url.regex_max && u->url.regex_max < u->url.regex_min)
		conf_warn(p, &u->regex->at,
			  "regex_max_offset lies before regex_min_offset: nothing can match");
	char *text = conf_alloc(p->memory, REGEX_OPTIONS_LEN + strlen(u->regex->text) + 1);

	sprintf(text, "%08x", (unsigned)u->regex_options);
	strcpy(text + REGEX_OPTIONS_LEN, u->regex->text);
	u->url.regex = text;
}

static void add_url(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		    void *target)
{
	struct conf_http *h = &((struct checker *)target)->http;
	struct conf_url **end = &h->urls;
	struct url u = {0};

	if (h->n_urls == CONF_URLS_MAX) {
		conf_warn(p, &n->word->at, "more than %d urls in one check: skipped",
			  CONF_URLS_MAX);
		return;
	}
	conf_walk(p, n->child, k->block, &u);
	if (!u.url.path) {
		conf_warn(p, &n->word->at, "this url lacks \"path /PATH\": skipped");
		return;
	}
	finish_regex(p, n, &u);
	while (*end)
		end = &(*end)->next;
	*end = conf_alloc(p->memory, sizeof(**end));
	**end = u.url;
	h->n_urls++;
}

/* ---- HTTP_GET, SSL_GET ---- */

static void set_http_protocol(struct conf_parse *p, const struct conf_node *n,
			      const struct conf_keyword *k, void *target)
{
	const struct conf_word *w = conf_argument(p, n);

	if (!w)
		return;
	if (!strcmp(w->text, "1.1"))
		((struct checker *)target)->http.version_1_1 = true;
	else if (strcmp(w->text, "1.0") && strcmp(w->text, "1.0C") && strcmp(w->text, "1.0c"))
		conf_warn(p, &w->at,
			  "unknown protocol \"%s\": write 1.0, 1.0C or 1.1. 1.0 is taken", w->text);
}

#define HTTP_WORDS                                                                             \
	CONNECT_WORDS, COMMON_WORDS(CHECKER_COMMON, OF_REAL), {"nb_get_retry",                 \
							       conf_set_int,                   \
							       CHECKER(check.common.retry),    \
							       0,                              \
							       65534,                          \
							       .doc = "Old word for retry."},  \
	    {"virtualhost",                                                                    \
	     conf_set_sent,                                                                    \
	     CHECKER(http.host),                                                               \
	     0,                                                                                \
	     HEALTH_HTTP_HOST_MAX,                                                             \
	     .form = "NAME",                                                                   \
	     .initial = "virtualhost of the real server",                                      \
	     .doc = "Host that is asked."},                                                    \
	    {"http_protocol", set_http_protocol, .form = "1.0|1.0C|1.1", .initial = "1.0",     \
	     .doc = "Version of HTTP."},                                                       \
	    {"url", add_url, .block = &url_block,                                              \
	     .doc = "What is asked for; one or several, in turn."},                            \
	{                                                                                      \
		CONF_ALWAYS("fast_recovery", "[on|off]", "Asks for all urls without a pause.", \
			    "one check always asks for all")                                   \
	}

static const struct conf_keyword http_words[] = {
    HTTP_WORDS,
    {CONF_NOTED("tls_compliant", "", "Ends TLS by its rules.", "there is no TLS in HTTP_GET")},
    {CONF_NOTED("enable_sni", "[on|off]", "Names the host in TLS.", "there is no TLS in HTTP_GET")},
    {CONF_NOTED("sni_name", "NAME", "Names this host in TLS.", "there is no TLS in HTTP_GET")},
    {0}};
const struct conf_block conf_block_http = {.name = "HTTP_GET", .keyword = http_words};

static const struct conf_keyword https_words[] = {
    HTTP_WORDS,
    {"tls_compliant", conf_set_flag, CHECKER(http.close_notify), .form = "",
     .doc = "Ends each connection with close_notify, not without a word (RFC 8446 section 6.1)."},
    {"enable_sni", conf_set_flag, CHECKER(http.sni),
     .doc = "Names the virtualhost in the TLS handshake."},
    {"sni_name", conf_set_sent, CHECKER(http.sni_name), 0, HEALTH_HTTP_HOST_MAX, .form = "NAME",
     .doc = "Names this host in the TLS handshake."},
    {0}};
const struct conf_block conf_block_https = {.name = "SSL_GET", .keyword = https_words};

/* keepalived, too, goes without one that asks for nothing. */
bool conf_http_complete(struct conf_parse *p, const struct conf_node *n, struct checker *c)
{
	c->http.tls = n->word->text[0] == 'S';
	if (!c->http.urls) {
		conf_warn(p, &n->word->at,
			  "%s lacks \"url { path / }\": skipped. To see that the server connects write TCP_CHECK",
			  n->word->text);
		return false;
	}
#ifndef HAVE_HEALTH_TLS
	if (c->http.tls) {
		conf_warn(p, &n->word->at,
			  "this vipd was built without OpenSSL: SSL_GET is checked as TCP_CHECK");
		c->check.kind = CONF_CHECK_TCP;
	}
#endif
	for (const struct conf_url *u = c->http.urls; u; u = u->next)
		c->http.close_notify |= u->close_notify;
	return true;
}
