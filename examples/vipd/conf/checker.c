/* SPDX-License-Identifier: MIT */
/* The checks of real servers but HTTP_GET and SSL_GET, which are in conf/http.c. */
#include "conf/checker.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

#include <libhealth/probe_expect.h>
#include <libhealth/probe_smtp.h>

const struct conf_way conf_way_default = {.connect_port = CONF_UNSET, .bind_port = CONF_UNSET};

/* ---- Values ---- */

void conf_set_sent(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		   void *target)
{
	const struct conf_word *w = conf_argument(p, n);
	bool good = w && *w->text && strlen(w->text) <= (size_t)k->max &&
		    (!k->min || *w->text == (char)k->min);

	for (const char *s = w ? w->text : ""; *s; s++)
		good = good && *s > ' ' && *s <= '~';
	if (good)
		*(const char **)(void *)((char *)target + k->offset) = conf_keep(p, w->text);
	else if (w)
		conf_warn(p, &w->at,
			  "\"%s\" cannot be sent as %s: 1 to %d visible characters%s. Skipped",
			  w->text, k->word, (int)k->max, k->min ? ", the first a /" : "");
}

void conf_set_mark(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		   void *target)
{
	const struct conf_word *w = conf_argument(p, n);
	double v;

	if (w && conf_number(p, w, 1, UINT32_MAX, true, &v))
		*(uint32_t *)(void *)((char *)target + k->offset) = (uint32_t)v;
}

/* ---- TCP_CHECK, PING_CHECK, SMTP_CHECK ---- */

static const struct conf_keyword tcp_words[] = {
    CONNECT_WORDS, COMMON_WORDS(CHECKER_COMMON, OF_REAL), {0}};
const struct conf_block conf_block_tcp = {.name = "TCP_CHECK", .keyword = tcp_words};
const struct conf_block conf_block_ping = {.name = "PING_CHECK", .keyword = tcp_words};
static const struct conf_block host_block = {.name = "host", .keyword = tcp_words};

/* conf_add_check looks at it itself: each is a check of its own. */
static void host_later(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
}

static const struct conf_keyword smtp_words[] = {
    CONNECT_WORDS,
    COMMON_WORDS(CHECKER_COMMON, OF_REAL),
    {"helo_name", conf_set_sent, CHECKER(check.helo), 0, HEALTH_SMTP_HELO_MAX, .form = "NAME",
     .initial = "localhost", .doc = "Greeting."},
    {"host", host_later, .block = &host_block,
     .doc = "Another address or port to check, instead of the server's own; one or several."},
    {0}};
const struct conf_block conf_block_smtp = {.name = "SMTP_CHECK", .keyword = smtp_words};

/* ---- DNS_CHECK ---- */

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

	if (w && is_dns_name(w->text))
		((struct checker *)target)->dns.name = conf_keep(p, w->text);
	else if (w)
		conf_warn(p, &w->at, "\"%s\" is no domain name: skipped", w->text);
}

static const struct {
	const char *name;
	int type;
} dns_types[] = {{"A", 1},    {"NS", 2},    {"CNAME", 5},  {"SOA", 6},	  {"MX", 15},
		 {"TXT", 16}, {"AAAA", 28}, {"RRSIG", 46}, {"DNSKEY", 48}};

const char *conf_dns_type_name(int type)
{
	for (size_t i = 0; i < sizeof(dns_types) / sizeof(*dns_types); i++)
		if (dns_types[i].type == type)
			return dns_types[i].name;
	return "SOA";
}

static void set_dns_type(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	const struct conf_word *w = conf_argument(p, n);

	for (size_t i = 0; w && i < sizeof(dns_types) / sizeof(*dns_types); i++) {
		if (!strcmp(w->text, dns_types[i].name)) {
			((struct checker *)target)->dns.type = dns_types[i].type;
			return;
		}
	}
	if (w)
		conf_warn(p, &w->at,
			  "unknown record type \"%s\": write A, NS, CNAME, SOA, MX, TXT, AAAA, "
			  "RRSIG or DNSKEY. SOA is taken",
			  w->text);
}

static const struct conf_keyword dns_words[] = {
    CONNECT_WORDS,
    COMMON_WORDS(CHECKER_COMMON, OF_REAL),
    {"type", set_dns_type, .form = "A|NS|CNAME|SOA|MX|TXT|AAAA|RRSIG|DNSKEY", .initial = "SOA",
     .doc = "Record that is asked for."},
    {"name", set_dns_name, .form = "NAME", .initial = ".", .doc = "Whose record."},
    {0}};
const struct conf_block conf_block_dns = {.name = "DNS_CHECK", .keyword = dns_words};

/* ---- UDP_CHECK ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * "Ab12f 3 456": pairs of digits; what is left alone before a space or the end is a byte of its own.
 * With a mask an X stands for any four bits.
 */
static bool read_hex(struct conf_parse *p, const struct conf_node *n, uint8_t *bytes, uint8_t *mask,
		     size_t *ret_len)
{
	size_t len = 0;

	for (size_t i = 1; i < n->n; i++) {
		const char *s = n->word[i].text;

		while (*s) {
			unsigned value = 0, known = 0;
			int half = 0;

			for (; half < 2 && *s && *s != ' '; half++, s++) {
				bool any = mask && (*s == 'x' || *s == 'X');
				int digit = any ? 0 : hex_digit(*s);

				if (digit < 0 || len == HEALTH_UDP_BYTES_MAX) {
					conf_warn(p, &n->word[i].at,
						  "\"%s\" takes up to %d bytes in hexadecimal "
						  "digits%s: skipped",
						  n->word->text, HEALTH_UDP_BYTES_MAX,
						  mask ? ", X for any" : "");
					return false;
				}
				value = value << 4 | (unsigned)digit;
				known = known << 4 | (any ? 0 : 0xf);
			}
			bytes[len] = (uint8_t)value;
			if (mask)
				mask[len] = (uint8_t)(half == 1 ? known | 0xf0 : known);
			len++;
			s += strspn(s, " \t");
		}
	}
	*ret_len = len;
	return true;
}

static const uint8_t *keep(struct conf_parse *p, const uint8_t *bytes, size_t len)
{
	return len ? memcpy(conf_alloc(p->memory, len), bytes, len) : NULL;
}

static void set_payload(struct conf_parse *p, const struct conf_node *n,
			const struct conf_keyword *k, void *target)
{
	struct conf_udp *u = &((struct checker *)target)->udp;
	uint8_t bytes[HEALTH_UDP_BYTES_MAX];

	if (conf_argument(p, n) && read_hex(p, n, bytes, NULL, &u->payload_len))
		u->payload = keep(p, bytes, u->payload_len);
}

static void set_require_reply(struct conf_parse *p, const struct conf_node *n,
			      const struct conf_keyword *k, void *target)
{
	struct conf_udp *u = &((struct checker *)target)->udp;
	uint8_t bytes[HEALTH_UDP_BYTES_MAX], mask[HEALTH_UDP_BYTES_MAX];

	u->require_reply = true;
	if (!read_hex(p, n, bytes, mask, &u->reply_len))
		return;
	u->reply = keep(p, bytes, u->reply_len);
	u->reply_mask = keep(p, mask, u->reply_len);
}

static const struct conf_keyword udp_words[] = {
    CONNECT_WORDS,
    COMMON_WORDS(CHECKER_COMMON, OF_REAL),
    {"payload", set_payload, .form = "HEX ...", .initial = "00", .doc = "What is sent."},
    {"require_reply", set_require_reply, .form = "[HEX ...]",
     .doc =
	 "Silence is a failure, and so is an answer that does not begin like this; X: any digit."},
    {"min_reply_length", conf_set_int, CHECKER(udp.reply_min), 0, 65535, .initial = "0",
     .doc = "Bytes that an answer must have, with require_reply."},
    {"max_reply_length", conf_set_int, CHECKER(udp.reply_max), 0, 65535, .initial = "255",
     .doc = "Bytes that it may have."},
    {0}};
const struct conf_block conf_block_udp = {.name = "UDP_CHECK", .keyword = udp_words};

/* ---- MISC_CHECK ---- */

static void set_misc_user(struct conf_parse *p, const struct conf_node *n,
			  const struct conf_keyword *k, void *target)
{
	struct checker *c = target;
	const struct conf_word *w = conf_argument(p, n);

	if (!w)
		return;
	c->misc_user = conf_keep(p, w->text);
	c->misc_group = conf_keep_word(p, n, 2);
}

static const struct conf_keyword misc_words[] = {
    {"misc_path", conf_set_script, CHECKER(misc.script), .form = "COMMAND",
     .doc = "What is run. Must be written."},
    {"misc_timeout", conf_set_seconds, CHECKER(misc.timeout_ms), 0.01, 24 * HOUR,
     .initial = "delay_loop", .doc = "A run that takes longer has failed."},
    {"misc_dynamic", conf_set_flag, CHECKER(misc.dynamic), .form = "",
     .doc = "Exit codes 2 to 255 are successes that make the weight 0 to 253."},
    {"user", set_misc_user, .form = "USER [GROUP]", .initial = "script_user",
     .doc = "Who runs it."},
    LOG_ALL_FAILURES,
    COMMON_WORDS(CHECKER_COMMON, OF_REAL),
    {0}};
const struct conf_block conf_block_misc = {.name = "MISC_CHECK", .keyword = misc_words};

/* ---- FILE_CHECK ---- */

static void set_track_weight(struct conf_parse *p, const struct conf_node *n,
			     const struct conf_keyword *k, void *target)
{
	struct conf_track_watch *t = &((struct checker *)target)->track;
	const struct conf_word *w = conf_argument(p, n);
	double v;

	if (!w || !conf_number(p, w, k->min, k->max, true, &v))
		return;
	t->weight = (int32_t)v;
	t->reverse = n->n > 2 && !strcmp(n->word[2].text, "reverse");
	if (n->n > 2 && !t->reverse)
		conf_warn(p, &n->word[2].at, "\"%s\" is not reverse: skipped", n->word[2].text);
}

static const struct conf_keyword file_words[] = {
    {"track_file", conf_set_string, CHECKER(track.name), .form = "NAME",
     .doc = "The track_file whose number counts. Must be written."},
    {"weight", set_track_weight, 0, -INT32_MAX, CONF_TRACK_DEFAULT - 1, .form = "NUMBER [reverse]",
     .initial = "that of the track_file",
     .doc = "What that number is multiplied with, and added to the server's weight. 0: any number "
	    "but 0 is a failure."},
    {CONF_ALWAYS("dynamic", "", "Lets the number move the weight.", "it always does"),
     .extra = true},
    {0}};
const struct conf_block conf_block_file = {.name = "FILE_CHECK", .keyword = file_words};

/* ---- BFD_CHECK ---- */

static const struct conf_keyword bfd_check_words[] = {
    {"name", conf_set_string, CHECKER(track.name), .form = "NAME",
     .doc = "The bfd_instance that must be up. Must be written."},
    {"alpha", conf_set_tristate, CHECKER(check.common.alpha), .initial = "that of the real server",
     .doc = "The server is down until it has come up."},
    {0}};
const struct conf_block conf_block_bfd_check = {.name = "BFD_CHECK", .keyword = bfd_check_words};

/* ---- From what was read to what is kept ---- */

static void *copy(struct conf_parse *p, const void *what, size_t size)
{
	return memcpy(conf_alloc(p->memory, size), what, size);
}

static bool is_default_way(const struct conf_way *w)
{
	return !w->connect_ip.family && !w->bind_ip.family && w->connect_port == CONF_UNSET &&
	       w->bind_port == CONF_UNSET && !w->bind_device && !w->fwmark;
}

static void keep_kind(struct conf_parse *p, const struct checker *from, struct conf_check *c)
{
	switch (c->kind) {
	case CONF_CHECK_HTTP:
		c->http = copy(p, &from->http, sizeof(from->http));
		return;
	case CONF_CHECK_DNS:
		c->dns = copy(p, &from->dns, sizeof(from->dns));
		return;
	case CONF_CHECK_UDP:
		c->udp = copy(p, &from->udp, sizeof(from->udp));
		return;
	case CONF_CHECK_MISC:
		c->misc = copy(p, &from->misc, sizeof(from->misc));
		if (from->misc_user) {
			c->misc->script.user = from->misc_user;
			c->misc->script.group = from->misc_group;
		}
		return;
	case CONF_CHECK_FILE:
	case CONF_CHECK_BFD:
		c->track = copy(p, &from->track, sizeof(from->track));
		return;
	case CONF_CHECK_TCP:
	case CONF_CHECK_PING:
	case CONF_CHECK_SMTP:
	case N_CONF_CHECKS:
		return;
	}
}

/* What leaves from an address of the other IP version arrives nowhere: it leaves from any, as in keepalived. */
static void drop_other_family(struct conf_parse *p, const struct conf_real *r, struct checker *c)
{
	const struct ha_ip *to = c->way.connect_ip.family ? &c->way.connect_ip : &r->ip;

	if (!c->way.bind_ip.family || c->way.bind_ip.family == to->family)
		return;
	conf_warn(p, &c->check.at, "bindto is not of the IP version of what is checked: it has no effect");
	c->way.bind_ip = (struct ha_ip){0};
}

static void keep_check(struct conf_parse *p, struct conf_real *r, struct checker *from)
{
	struct conf_check *c = conf_alloc(p->passing, sizeof(*c)), **end = &r->checks;

	drop_other_family(p, r, from);
	*c = from->check;
	c->way =
	    is_default_way(&from->way) ? &conf_way_default : copy(p, &from->way, sizeof(from->way));
	keep_kind(p, from, c);
	while (*end)
		end = &(*end)->next;
	*end = c;
}

/* Each `host` of an SMTP_CHECK is a check like it, with words of its own. */
static bool add_hosts(struct conf_parse *p, const struct conf_node *n, const struct checker *like,
		      struct conf_real *r)
{
	bool any = false;

	for (const struct conf_node *w = n->child; w; w = w->next) {
		struct checker c = *like;

		if (strcmp(w->word->text, "host") || !w->block)
			continue;
		c.check.at = w->word->at;
		conf_walk(p, w->child, &host_block, &c);
		keep_check(p, r, &c);
		any = true;
	}
	return any;
}

void conf_add_check(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		    void *target)
{
	struct reading_real *to = target;
	struct checker c = {
	    .check = {.kind = (enum conf_check_kind)k->min,
		      .log_all_failures = CONF_UNSET,
		      .common = CHECK_COMMON_UNSET,
		      .at = n->word->at},
	    .way = conf_way_default,
	    .udp = {.reply_max = 255},
	    .misc = {.timeout_ms = CONF_UNSET, .weight = CONF_NO_WEIGHT, .at = n->word->at},
	    .track = {.kind = k->min == CONF_CHECK_BFD ? CONF_WATCH_BFD : CONF_WATCH_FILE,
		      .weight = CONF_TRACK_DEFAULT,
		      .reverse = CONF_UNSET,
		      .at = n->word->at}};

	conf_walk(p, n->child, k->block, &c);
	if ((c.check.kind == CONF_CHECK_FILE || c.check.kind == CONF_CHECK_BFD) && !c.track.name) {
		conf_warn(p, &n->word->at, "%s lacks \"%s NAME\": skipped", n->word->text,
			  k->block->keyword->word);
		return;
	}
	if (c.check.kind == CONF_CHECK_UDP && c.udp.reply_min > c.udp.reply_max)
		conf_warn(p, &n->word->at, "min_reply_length %d is more than max_reply_length %d: no answer is right", c.udp.reply_min,
			  c.udp.reply_max);
	if (c.check.kind == CONF_CHECK_SMTP && add_hosts(p, n, &c, &to->real))
		return;
	if (c.check.kind == CONF_CHECK_HTTP && !conf_http_complete(p, n, &c))
		return;
	keep_check(p, &to->real, &c);
}
