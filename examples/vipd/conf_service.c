/* SPDX-License-Identifier: MIT */
/* The blocks of services: virtual_server, real_server, their checks, virtual_server_group. */
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libha/service.h>

#include "conf_words.h"

#define VIRTUAL(member) offsetof(struct conf_virtual, member)
#define REAL(member) offsetof(struct conf_real, member)
#define CHECK(member) offsetof(struct conf_check, member)
#define HOUR 3600.0

static const struct conf_check_common common_unset = {CONF_UNSET, CONF_UNSET, CONF_UNSET,
						      CONF_UNSET, CONF_UNSET, CONF_UNSET};

/* ---- Addresses with ports ---- */

static const char *port_text(struct conf_parse *p, const struct ha_ip *ip, unsigned port)
{
	char text[HA_IP_TEXT_SIZE] = "";

	ha_ip_format(ip, text, sizeof(text));
	return conf_printf(p->memory, ip->family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, port);
}

/* ADDRESS [PORT] behind a keyword. */
static bool read_endpoint(struct conf_parse *p, const struct conf_node *n, struct ha_ip *ip,
			  uint16_t *port)
{
	const char *word = n->word->text;

	*port = 0;
	if (n->n < 2) {
		conf_warn(p, &n->word->at,
			  "\"%s\" lacks its address: write %s ADDRESS PORT. "
			  "Skipped",
			  word, word);
		return false;
	}
	if (ha_ip_parse(n->word[1].text, ip) < 0) {
		conf_warn(p, &n->word[1].at,
			  "\"%s\" is not an address: write %s ADDRESS PORT. Skipped",
			  n->word[1].text, word);
		return false;
	}
	if (n->n < 3)
		return true;
	return conf_read_port(p, &n->word[2], port);
}

static bool read_fwmark(struct conf_parse *p, const struct conf_word *w, struct conf_listen *l)
{
	double v;

	if (!conf_number(p, w, 1, UINT32_MAX, true, &v))
		return false;
	l->fwmark = (uint32_t)v;
	l->ip.family = AF_INET;
	return true;
}

/* ---- Choices ---- */

static void set_scheduler(struct conf_parse *p, const struct conf_node *n,
			  const struct conf_keyword *k, void *target)
{
	static const char *const known[] = {"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh",
					    "mh", "dh",	 "fo", "ovf", "sed",  "nq",    "twos"};
	struct conf_virtual *v = target;
	const struct conf_word *w = conf_argument(p, n);

	(void)k;
	for (size_t i = 0; w && i < sizeof(known) / sizeof(*known); i++) {
		if (!strcmp(w->text, known[i])) {
			v->scheduler = known[i];
			return;
		}
	}
	if (w)
		conf_warn(p, &w->at,
			  "unknown scheduler \"%s\": write rr, wrr, lc, wlc, sh, mh, dh, sed, nq, "
			  "fo, ovf, lblc, lblcr or twos. wlc is taken",
			  w->text);
}

/* Of a virtual server and of a real server; the offset leads to its int. */
static void set_forward(struct conf_parse *p, const struct conf_node *n,
			const struct conf_keyword *k, void *target)
{
	int *forward = (int *)(void *)((char *)target + k->offset);
	const struct conf_word *w = conf_argument(p, n);

	if (!w)
		return;
	if (!strcmp(w->text, "NAT"))
		*forward = HA_FORWARD_NAT;
	else if (!strcmp(w->text, "DR"))
		*forward = HA_FORWARD_DR;
	else if (!strcmp(w->text, "TUN"))
		*forward = HA_FORWARD_TUN;
	else
		conf_warn(p, &w->at, "unknown forwarding method \"%s\": write NAT, DR or TUN",
			  w->text);
	if (n->n > 2)
		conf_warn(p, &n->word[2].at,
			  "options of %s are known to keepalived but not supported by this "
			  "version: ignored",
			  w->text);
}

static void set_protocol(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	struct conf_virtual *v = target;
	const struct conf_word *w = conf_argument(p, n);

	(void)k;
	if (!w)
		return;
	if (!strcmp(w->text, "TCP"))
		v->protocol = IPPROTO_TCP;
	else if (!strcmp(w->text, "UDP"))
		v->protocol = IPPROTO_UDP;
	else if (!strcmp(w->text, "SCTP"))
		v->protocol = IPPROTO_SCTP;
	else
		conf_warn(p, &w->at, "unknown protocol \"%s\": write TCP, UDP or SCTP", w->text);
}

static void set_persistence(struct conf_parse *p, const struct conf_node *n,
			    const struct conf_keyword *k, void *target)
{
	struct conf_virtual *v = target;
	double s = 360;

	(void)k;
	if (n->n > 1 && !strcmp(n->word[1].text, "0")) {
		conf_note(p, &n->word[1].at, "persistence_timeout 0: without persistence");
		v->persistence_s = 0;
		return;
	}
	if (n->n > 1 && !conf_number(p, &n->word[1], 1, HA_PERSISTENCE_MAX_S, true, &s))
		return;
	if (n->n < 2)
		conf_note(p, &n->word->at, "persistence_timeout without a value is 360 seconds");
	v->persistence_s = (int64_t)s;
}

/* A dotted mask or, for IPv6, a prefix length. */
static void set_granularity(struct conf_parse *p, const struct conf_node *n,
			    const struct conf_keyword *k, void *target)
{
	struct conf_virtual *v = target;
	const struct conf_word *w = conf_argument(p, n);
	struct ha_ip mask;
	uint32_t bits = 0;
	double length;

	(void)k;
	if (!w)
		return;
	if (ha_ip_parse(w->text, &mask) < 0 || mask.family != AF_INET) {
		if (conf_number(p, w, 1, 128, true, &length))
			v->persistence_prefix = (int)length;
		return;
	}
	for (int i = 0; i < 4; i++)
		bits = bits << 8 | mask.bytes[i];
	if (!bits || (~bits & (~bits + 1))) {
		conf_warn(p, &w->at, "\"%s\" is not a mask: skipped", w->text);
		return;
	}
	v->persistence_prefix = 0;
	for (; bits; bits <<= 1)
		v->persistence_prefix++;
}

/* The keyword's `min` is the flag. */
static void set_service_flag(struct conf_parse *p, const struct conf_node *n,
			     const struct conf_keyword *k, void *target)
{
	(void)p;
	(void)n;
	((struct conf_virtual *)target)->flags |= (uint32_t)k->min;
}

/* ---- Checks ---- */

/* What virtual servers, real servers and checks have in common; `o` is where it lies in each. */
#define COMMON_WORDS(o)                                                                           \
	{"delay_loop", conf_set_seconds, (o) + offsetof(struct conf_check_common, delay_loop_ms), \
	 0.001, 24 * HOUR},                                                                       \
	    {"connect_timeout", conf_set_seconds,                                                 \
	     (o) + offsetof(struct conf_check_common, connect_timeout_ms), 0.001, HOUR},          \
	    {"delay_before_retry", conf_set_seconds,                                              \
	     (o) + offsetof(struct conf_check_common, delay_before_retry_ms), 0, HOUR},           \
	    {"warmup", conf_set_seconds, (o) + offsetof(struct conf_check_common, warmup_ms), 0,  \
	     HOUR},                                                                               \
	    {"retry", conf_set_int, (o) + offsetof(struct conf_check_common, retry), 0, 65534},   \
	{                                                                                         \
		"alpha", conf_set_tristate, (o) + offsetof(struct conf_check_common, alpha)       \
	}

#define CONNECT_WORDS                                                      \
	{"connect_ip", conf_set_ip, CHECK(connect_ip)},                    \
	    {"connect_port", conf_set_int, CHECK(connect_port), 1, 65535}, \
	    {"bindto", conf_set_ip, CHECK(bind_ip)},                       \
	    {"bind_port", conf_set_int, CHECK(bind_port), 1, 65535},       \
	{                                                                  \
		"bind_if", conf_set_name, CHECK(bind_device)               \
	}

static const struct conf_keyword tcp_check_words[] = {
    CONNECT_WORDS, COMMON_WORDS(CHECK(common)), {0}};
static const struct conf_block tcp_check_block = {
    .name = "TCP_CHECK", .keyword = tcp_check_words, .known = "log_all_failures fwmark"};

static void set_status(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
	struct conf_check *c = target;

	(void)k;
	if (!conf_argument(p, n))
		return;
	c->n_status = 0;
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
		} else if (c->n_status == CONF_STATUS_MAX) {
			conf_warn(p, &w->at, "more than %d status codes: skipped", CONF_STATUS_MAX);
			return;
		} else {
			c->status[c->n_status].first = first;
			c->status[c->n_status++].last = last;
		}
	}
}

/* A word that goes out as it stands; `min` is what it begins with, 0: anything; `max` its length. */
static void set_sent(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	const struct conf_word *w = conf_argument(p, n);
	bool good = w && *w->text && strlen(w->text) <= (size_t)k->max &&
		    (!k->min || *w->text == (char)k->min);

	for (const char *s = w ? w->text : ""; *s; s++)
		good = good && *s > ' ' && *s <= '~';
	if (good)
		*(const char **)(void *)((char *)target + k->offset) = w->text;
	else if (w)
		conf_warn(p, &w->at,
			  "\"%s\" cannot be sent as %s: 1 to %d visible characters%s. Skipped",
			  w->text, k->word, (int)k->max, k->min ? ", the first a /" : "");
}

static void set_http_protocol(struct conf_parse *p, const struct conf_node *n,
			      const struct conf_keyword *k, void *target)
{
	const struct conf_word *w = conf_argument(p, n);

	(void)k;
	if (!w)
		return;
	if (!strcmp(w->text, "1.1"))
		((struct conf_check *)target)->http_1_1 = true;
	else if (strcmp(w->text, "1.0") && strcmp(w->text, "1.0C") && strcmp(w->text, "1.0c"))
		conf_warn(p, &w->at,
			  "unknown protocol \"%s\": write 1.0, 1.0C or 1.1. 1.0 is taken", w->text);
}

/* RFC 1035 §2.3.4: labels of 1 to 63 bytes, 253 characters without the last dot. */
static bool is_dns_name(const char *s)
{
	size_t len = strlen(s);

	if (!strcmp(s, "."))
		return true;
	if (len && s[len - 1] == '.')
		len--;
	if (!len || len > 253)
		return false;
	for (size_t i = 0, label = 0; i <= len; i++) {
		if (i < len && s[i] != '.') {
			if (++label > 63 || s[i] == '\\')
				return false;
		} else if (!label) {
			return false;
		} else {
			label = 0;
		}
	}
	return true;
}

static void set_dns_name(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	const struct conf_word *w = conf_argument(p, n);

	(void)k;
	if (w && is_dns_name(w->text))
		((struct conf_check *)target)->name = w->text;
	else if (w)
		conf_warn(p, &w->at, "\"%s\" is no domain name: skipped", w->text);
}

static void set_dns_type(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	static const struct {
		const char *name;
		int type;
	} types[] = {{"A", 1},	  {"NS", 2},	{"CNAME", 5},  {"SOA", 6},    {"MX", 15},
		     {"TXT", 16}, {"AAAA", 28}, {"RRSIG", 46}, {"DNSKEY", 48}};
	const struct conf_word *w = conf_argument(p, n);

	(void)k;
	for (size_t i = 0; w && i < sizeof(types) / sizeof(*types); i++) {
		if (!strcmp(w->text, types[i].name)) {
			((struct conf_check *)target)->type = types[i].type;
			return;
		}
	}
	if (w)
		conf_warn(p, &w->at,
			  "unknown record type \"%s\": write A, NS, CNAME, SOA, MX, TXT, AAAA, "
			  "RRSIG or DNSKEY. SOA is taken",
			  w->text);
}

/* Each url is a check of its own: add_http_check. */
static void url_later(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	(void)p, (void)n, (void)k, (void)target;
}

static const struct conf_keyword url_words[] = {{"path", set_sent, CHECK(path), '/', 2048},
						{"virtualhost", set_sent, CHECK(host), 0, 255},
						{"status_code", set_status},
						{0}};
static const struct conf_block url_block = {
    .name = "url",
    .keyword = url_words,
    .known = "digest regex regex_no_match regex_options regex_min_offset regex_max_offset "
	     "regex_stack tls_compliant"};
static const struct conf_keyword http_words[] = {
    CONNECT_WORDS,
    COMMON_WORDS(CHECK(common)),
    {"nb_get_retry", conf_set_int, CHECK(common.retry), 0, 65534},
    {"virtualhost", set_sent, CHECK(host), 0, 255},
    {"http_protocol", set_http_protocol},
    {"url", url_later, .block = &url_block},
    {0}};
static const struct conf_block http_block = {
    .name = "HTTP_GET", .keyword = http_words, .known = "fast_recovery log_all_failures fwmark"};
static const struct conf_keyword smtp_words[] = {
    CONNECT_WORDS, COMMON_WORDS(CHECK(common)), {"helo_name", set_sent, CHECK(helo), 0, 255}, {0}};
static const struct conf_block smtp_block = {
    .name = "SMTP_CHECK", .keyword = smtp_words, .known = "host{ log_all_failures fwmark"};
static const struct conf_keyword dns_words[] = {CONNECT_WORDS,
						COMMON_WORDS(CHECK(common)),
						{"type", set_dns_type},
						{"name", set_dns_name},
						{0}};
static const struct conf_block dns_block = {
    .name = "DNS_CHECK", .keyword = dns_words, .known = "log_all_failures fwmark"};

/* Its connection is checked; that the rest is not is said once, for the block. */
static const struct conf_keyword ssl_words[] = {
    CONNECT_WORDS,
    COMMON_WORDS(CHECK(common)),
    {"nb_get_retry", conf_set_int, CHECK(common.retry), 0, 65534},
    {0}};
static const struct conf_block ssl_block = {
    .name = "SSL_GET",
    .keyword = ssl_words,
    .known = "virtualhost http_protocol enable_sni sni_name fast_recovery tls_compliant url{ "
	     "log_all_failures fwmark",
    .quiet = true};

static struct conf_check *append_check(struct conf_parse *p, struct conf_real *r,
				       const struct conf_check *like)
{
	struct conf_check *c = conf_alloc(p->memory, sizeof(*c)), **end = &r->checks;

	*c = *like;
	c->next = NULL;
	while (*end)
		end = &(*end)->next;
	return *end = c;
}

/* The keyword's `min` is the kind. */
static struct conf_check check_read(struct conf_parse *p, const struct conf_node *n,
				    const struct conf_keyword *k)
{
	struct conf_check c = {.kind = (enum conf_check_kind)k->min,
			       .common = common_unset,
			       .connect_port = CONF_UNSET,
			       .bind_port = CONF_UNSET,
			       .at = n->word->at};

	conf_walk(p, n->child, k->block, &c);
	return c;
}

static void add_check(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	const struct conf_check c = check_read(p, n, k);

	append_check(p, target, &c);
}

/* A check for each url: the server is well when all are. */
static void add_http_check(struct conf_parse *p, const struct conf_node *n,
			   const struct conf_keyword *k, void *target)
{
	struct conf_check c = check_read(p, n, k);
	bool has_url = false;

	for (const struct conf_node *w = n->child; w; w = w->next) {
		if (strcmp(w->word->text, "url"))
			continue;
		has_url = true;
		conf_walk(p, w->child, &url_block, append_check(p, target, &c));
	}
	if (has_url)
		return;
	conf_warn(p, &n->word->at,
		  "HTTP_GET lacks \"url { path / }\": the server must connect, nothing is asked");
	c.kind = CONF_CHECK_CONNECT;
	append_check(p, target, &c);
}

#define SCRIPT(member) offsetof(struct conf_vrrp_script, member)

/* The words of a script and those of a check lie in two objects: first the one, then the other. */
static const struct conf_keyword misc_words[] = {
    {"misc_path", conf_set_script, SCRIPT(script)},
    {"misc_timeout", conf_set_seconds, SCRIPT(timeout_ms), 0.01, 24 * HOUR},
    {0}};
static const struct conf_keyword misc_common_words[] = {COMMON_WORDS(CHECK(common)), {0}};
static const struct conf_block misc_block = {
    .name = "MISC_CHECK", .keyword = misc_words, .known = "misc_dynamic user log_all_failures"};
static const struct conf_block misc_common_block = {.name = "MISC_CHECK",
						    .keyword = misc_common_words};

static void set_misc_user(struct conf_vrrp_script *s, const struct conf_node *n)
{
	if (n->n > 1) {
		s->script.user = n->word[1].text;
		s->script.group = n->n > 2 ? n->word[2].text : NULL;
	}
}

static void add_misc_check(struct conf_parse *p, const struct conf_node *n,
			   const struct conf_keyword *k, void *target)
{
	struct conf_real *r = target;
	struct conf_check *c = conf_alloc(p->memory, sizeof(*c)), **end = &r->checks;
	const struct conf_node *user = NULL;

	(void)k;
	*c = (struct conf_check){.common = common_unset,
				 .misc = conf_alloc(p->memory, sizeof(*c->misc)),
				 .at = n->word->at};
	*c->misc = (struct conf_vrrp_script){
	    .timeout_ms = CONF_UNSET, .weight = CONF_NO_WEIGHT, .at = n->word->at};
	while (*end)
		end = &(*end)->next;
	*end = c;
	for (const struct conf_node *w = n->child; w; w = w->next) {
		struct conf_node one = *w;

		one.next = NULL;
		if (!strcmp(w->word->text, "user"))
			user = w;
		else if (conf_word_find(&misc_common_block, w->word->text, NULL))
			conf_walk(p, &one, &misc_common_block, c);
		else
			conf_walk(p, &one, &misc_block, c->misc);
	}
	if (user)
		set_misc_user(c->misc, user);
}

/* A server that does not answer is noticed; one that answers with an error is not. */
static void connect_only(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	conf_warn(
	    p, &n->word->at,
	    "\"%s\" is checked as TCP_CHECK by this version: it must connect, what the server "
	    "says is not looked at",
	    k->word);
	add_check(p, n, k, target);
}

/* Its block's words are of no use without it. */
static void skip_check(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
	(void)target;
	conf_warn(p, &n->word->at,
		  "\"%s\" is known to keepalived but not supported by this version: without this "
		  "check. TCP_CHECK, HTTP_GET, SMTP_CHECK, DNS_CHECK and "
		  "MISC_CHECK are supported",
		  k->word);
}

static const struct conf_block skipped_block = {.name = "a check"};

/* ---- real_server ---- */

static const struct conf_keyword real_words[] = {
    {"weight", conf_set_int, REAL(weight), 0, HA_WEIGHT_MAX},
    {"inhibit_on_failure", conf_set_tristate, REAL(inhibit)},
    {"lvs_method", set_forward, REAL(forward)},
    {"uthreshold", conf_set_int, REAL(upper), 0, INT_MAX},
    {"lthreshold", conf_set_int, REAL(lower), 0, INT_MAX},
    {"notify_up", conf_set_script, REAL(notify_up)},
    {"notify_down", conf_set_script, REAL(notify_down)},
    COMMON_WORDS(REAL(common)),
    {"TCP_CHECK", add_check, .block = &tcp_check_block},
    {"HTTP_GET", add_http_check, .min = CONF_CHECK_HTTP, .block = &http_block},
    {"SSL_GET", connect_only, .block = &ssl_block},
    {"MISC_CHECK", add_misc_check, .block = &misc_block},
    {"SMTP_CHECK", add_check, .min = CONF_CHECK_SMTP, .block = &smtp_block},
    {"DNS_CHECK", add_check, .min = CONF_CHECK_DNS, .block = &dns_block},
    {"PING_CHECK", skip_check, .block = &skipped_block},
    {"UDP_CHECK", skip_check, .block = &skipped_block},
    {"FILE_CHECK", skip_check, .block = &skipped_block},
    {"BFD_CHECK", skip_check, .block = &skipped_block},
    {0}};
static const struct conf_block real_block = {
    .name = "real_server", .keyword = real_words, .known = "smtp_alert virtualhost snmp_name"};

static struct conf_real *real_new(struct conf_parse *p, const struct conf_node *n)
{
	struct conf_real *r = conf_alloc(p->memory, sizeof(*r));

	*r = (struct conf_real){.weight = CONF_UNSET,
				.inhibit = CONF_UNSET,
				.forward = CONF_UNSET,
				.common = common_unset,
				.at = n->word->at};
	return read_endpoint(p, n, &r->ip, &r->port) ? r : NULL;
}

static void add_real(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	struct conf_virtual *v = target;
	struct conf_real *r = real_new(p, n), **end = &v->reals;

	if (!r)
		return;
	if (v->n_reals == HA_DESTS_MAX) {
		conf_warn(p, &n->word->at, "more than %d real servers: skipped", HA_DESTS_MAX);
		return;
	}
	for (; *end; end = &(*end)->next) {
		if ((*end)->port == r->port && !ha_ip_compare(&(*end)->ip, &r->ip)) {
			conf_warn(p, &n->word->at,
				  "this real_server is there already, in line %u: skipped",
				  (*end)->at.line);
			return;
		}
	}
	*end = r;
	v->n_reals++;
	conf_walk(p, n->child, k->block, r);
}

static void set_sorry(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	(void)k;
	((struct conf_virtual *)target)->sorry = real_new(p, n);
}

/* ---- virtual_server ---- */

static const struct conf_keyword virtual_words[] = {
    {"lb_algo", set_scheduler},
    {"lvs_sched", set_scheduler},
    {"lb_kind", set_forward, VIRTUAL(forward)},
    {"lvs_method", set_forward, VIRTUAL(forward)},
    {"protocol", set_protocol},
    {"persistence_timeout", set_persistence},
    {"persistence_granularity", set_granularity},
    {"persistence_engine", conf_set_string, VIRTUAL(persistence_engine)},
    {"ops", set_service_flag, .min = HA_SERVICE_ONE_PACKET},
    {"sh-port", set_service_flag, .min = HA_SERVICE_SCHED_PORT},
    {"mh-port", set_service_flag, .min = HA_SERVICE_SCHED_PORT},
    {"sh-fallback", set_service_flag, .min = HA_SERVICE_SCHED_FALLBACK},
    {"mh-fallback", set_service_flag, .min = HA_SERVICE_SCHED_FALLBACK},
    {"flag-1", set_service_flag, .min = HA_SERVICE_SCHED_FALLBACK},
    {"flag-2", set_service_flag, .min = HA_SERVICE_SCHED_PORT},
    {"flag-3", set_service_flag, .min = HA_SERVICE_SCHED_3},
    {"quorum", conf_set_int, VIRTUAL(quorum), 1, INT_MAX},
    {"hysteresis", conf_set_int, VIRTUAL(hysteresis), 0, INT_MAX},
    {"quorum_up", conf_set_script, VIRTUAL(quorum_up)},
    {"quorum_down", conf_set_script, VIRTUAL(quorum_down)},
    {"inhibit_on_failure", conf_set_tristate, VIRTUAL(inhibit)},
    {"omega", conf_set_flag, VIRTUAL(omega)},
    {"weight", conf_set_int, VIRTUAL(weight), 0, HA_WEIGHT_MAX},
    {"sorry_server", set_sorry},
    {"sorry_server_inhibit", conf_set_tristate, VIRTUAL(sorry_inhibit)},
    COMMON_WORDS(VIRTUAL(common)),
    {"real_server", add_real, .block = &real_block},
    {0}};

const struct conf_block conf_block_virtual = {
    .name = "virtual_server",
    .keyword = virtual_words,
    .known =
	"virtualhost ha_suspend ip_family hashed smtp_alert snmp_name sorry_server_lvs_method"};

/* "ADDRESS PORT", "fwmark N" or "group NAME". */
static bool read_where(struct conf_parse *p, const struct conf_node *n, struct conf_virtual *v)
{
	struct conf_listen l = {.at = n->word->at};

	if (n->n > 2 && !strcmp(n->word[1].text, "group")) {
		v->group_name = n->word[2].text;
		v->name = conf_printf(p->memory, "group %s", v->group_name);
		return true;
	}
	if (n->n > 2 && !strcmp(n->word[1].text, "fwmark")) {
		if (!read_fwmark(p, &n->word[2], &l))
			return false;
		v->name = conf_printf(p->memory, "fwmark %u", l.fwmark);
	} else {
		if (!read_endpoint(p, n, &l.ip, &l.port))
			return false;
		v->name = port_text(p, &l.ip, l.port);
	}
	v->listen = conf_grow(p->memory, NULL, 0, sizeof(l));
	v->listen[v->n_listen++] = l;
	return true;
}

void conf_virtual_new(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	struct conf *c = target;
	struct conf_virtual *v = conf_alloc(p->memory, sizeof(*v));

	*v = (struct conf_virtual){.forward = CONF_UNSET,
				   .protocol = CONF_UNSET,
				   .quorum = 1,
				   .inhibit = CONF_UNSET,
				   .sorry_inhibit = CONF_UNSET,
				   .weight = 1,
				   .common = common_unset,
				   .at = n->word->at};
	if (!read_where(p, n, v))
		return;
	*p->virtuals_end = v;
	p->virtuals_end = &v->next;
	c->n_virtuals++;
	conf_walk(p, n->child, k->block, v);
}

/* ---- virtual_server_group ---- */

static void add_listen(struct conf_parse *p, struct conf_virtual_group *g,
		       const struct conf_listen *l)
{
	if (p->n_listen == HA_SERVICES_MAX) {
		conf_warn(p, &l->at, "more than %d addresses in all groups: skipped",
			  HA_SERVICES_MAX);
		return;
	}
	p->n_listen++;
	g->listen = conf_grow(p->memory, g->listen, g->n_listen, sizeof(*l));
	g->listen[g->n_listen++] = *l;
}

/* "10.0.0.1-9": the last number of the address (hexadecimal in IPv6) counts up. */
static void add_range(struct conf_parse *p, struct conf_virtual_group *g, const struct conf_word *w,
		      struct conf_listen *l)
{
	const char *dash = strchr(w->text, '-');
	bool v4;
	unsigned first, last;
	char *end;

	if (ha_ip_parse(conf_strndup(p->memory, w->text, (size_t)(dash - w->text)), &l->ip) < 0) {
		conf_warn(p, &w->at, "\"%s\" is not a range: write ADDRESS-NUMBER. Skipped",
			  w->text);
		return;
	}
	v4 = l->ip.family == AF_INET;
	first = v4 ? l->ip.bytes[3] : (unsigned)(l->ip.bytes[14] << 8 | l->ip.bytes[15]);
	last = (unsigned)strtoul(dash + 1, &end, v4 ? 10 : 16);
	if (*end || end == dash + 1 || last < first || last > (v4 ? 255u : 65535u)) {
		conf_warn(p, &w->at,
			  "\"%s\" is not a range: \"%s\" must be a number from %u on. "
			  "Skipped",
			  w->text, dash + 1, first);
		return;
	}
	for (unsigned i = first; i <= last; i++) {
		if (v4) {
			l->ip.bytes[3] = (uint8_t)i;
		} else {
			l->ip.bytes[14] = (uint8_t)(i >> 8);
			l->ip.bytes[15] = (uint8_t)i;
		}
		add_listen(p, g, l);
	}
}

static void add_group_line(struct conf_parse *p, struct conf_virtual_group *g,
			   const struct conf_node *n)
{
	struct conf_listen l = {.at = n->word->at};

	if (!strcmp(n->word->text, "fwmark")) {
		if (n->n > 1 && read_fwmark(p, &n->word[1], &l)) {
			if (n->n > 2 && !strcmp(n->word[2].text, "inet6"))
				l.ip.family = AF_INET6;
			add_listen(p, g, &l);
		}
		return;
	}
	if (n->n > 1 && !conf_read_port(p, &n->word[1], &l.port))
		return;
	if (strchr(n->word->text, '-'))
		add_range(p, g, n->word, &l);
	else if (ha_ip_parse(n->word->text, &l.ip) < 0)
		conf_warn(p, &n->word->at, "\"%s\" is not an address: write ADDRESS PORT. Skipped",
			  n->word->text);
	else
		add_listen(p, g, &l);
}

const struct conf_block conf_block_virtual_group = {.name = "virtual_server_group"};

void conf_virtual_group_new(struct conf_parse *p, const struct conf_node *n,
			    const struct conf_keyword *k, void *target)
{
	struct conf *c = target;
	struct conf_virtual_group *g, **end = &c->virtual_groups;

	(void)k;
	if (n->n < 2) {
		conf_warn(p, &n->word->at, "virtual_server_group needs a name: skipped");
		return;
	}
	while (*end)
		end = &(*end)->next;
	g = conf_alloc(p->memory, sizeof(*g));
	g->name = n->word[1].text;
	g->at = n->word->at;
	*end = g;
	for (const struct conf_node *l = n->child; l; l = l->next)
		add_group_line(p, g, l);
}
