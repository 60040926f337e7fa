/* SPDX-License-Identifier: MIT */
/* The DNS probe: one question, the header of what comes back, and its records if asked (RFC 1035 §4.1). */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libhealth/probe_dns.h>

#include "base/mem.h"
#include "base/sized.h"
#include "line.h"
#include "reply.h"

#define HEADER_BYTES 12
#define NAME_MAX_BYTES 255
#define LABEL_MAX_BYTES 63
#define QUERY_MAX (HEADER_BYTES + NAME_MAX_BYTES + 4)
#define FLAG_QR 0x8000u
#define FLAG_RD 0x0100u
#define RCODE 0x000fu
#define FLAG_TC 0x0200u
#define CLASS_IN 1

enum { A = 1, NS = 2, CNAME = 5, SOA = 6, PTR = 12, MX = 15, TXT = 16, AAAA = 28, SRV = 33 };

struct dns_config {
	uint16_t type;
	uint64_t flags;
	size_t answer_len;			   /* 0: none is expected */
	uint8_t answer[HEALTH_DNS_ANSWER_MAX + 1]; /* an address, or a text in small letters */
	size_t query_len;
	uint8_t query[QUERY_MAX]; /* with an id of 0 */
};

struct dns_state {
	uint16_t id;
	bool strangers; /* datagrams came that were no answer */
	uint8_t query[QUERY_MAX];
};

/* "www.example.com[.]" as labels; false: no such name. */
static bool write_name(struct writer *w, const char *name)
{
	const size_t start = writer_len(w);

	if (!strcmp(name, "."))
		name = "";
	else if (!*name)
		return false;
	while (*name) {
		const char *dot = strchr(name, '.');
		size_t len = dot ? (size_t)(dot - name) : strlen(name);

		if (!len || len > LABEL_MAX_BYTES || memchr(name, '\\', len))
			return false;
		write_u8(w, (uint8_t)len);
		write_bytes(w, name, len);
		name += dot ? len + 1 : len;
	}
	write_u8(w, 0);
	return !w->bad && writer_len(w) - start <= NAME_MAX_BYTES;
}

static bool write_query(struct dns_config *c, const char *name, uint16_t type)
{
	struct writer w = writer_of(c->query, sizeof(c->query));

	write_be16(&w, 0); /* id */
	write_be16(&w, FLAG_RD);
	write_be16(&w, 1); /* question */
	write_zero(&w, 6); /* answers, authorities, additional */
	if (!write_name(&w, name))
		return false;
	write_be16(&w, type);
	write_be16(&w, CLASS_IN);
	c->query_len = writer_len(&w);
	return !w.bad;
}

/* "www.Example.com." as records are compared with it: small letters, no dot at the end. */
static bool keep_name(struct dns_config *c, const char *name)
{
	size_t len = strnlen(name, HEALTH_DNS_ANSWER_MAX + 1);

	if (!len || len > HEALTH_DNS_ANSWER_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		c->answer[i] = lower((uint8_t)name[i]);
	c->answer_len = len > 1 && name[len - 1] == '.' ? len - 1 : len;
	return true;
}

static bool keep_answer(struct dns_config *c, const char *answer)
{
	switch (c->type) {
	case A:
		c->answer_len = 4;
		return inet_pton(AF_INET, answer, c->answer) == 1;
	case AAAA:
		c->answer_len = 16;
		return inet_pton(AF_INET6, answer, c->answer) == 1;
	case NS:
	case CNAME:
	case PTR:
	case MX:
	case SRV:
		return keep_name(c, answer);
	case TXT:
		c->answer_len = strnlen(answer, HEALTH_DNS_ANSWER_MAX + 1);
		if (!c->answer_len || c->answer_len > HEALTH_DNS_ANSWER_MAX)
			return false;
		memcpy(c->answer, answer, c->answer_len);
		return true;
	default:
		return false;
	}
}

uint64_t health_dns_type(const char *name)
{
	static const struct {
		const char *name;
		uint16_t type;
	} types[] = {{"A", A},	 {"NS", NS},   {"CNAME", CNAME}, {"SOA", SOA}, {"PTR", PTR},
		     {"MX", MX}, {"TXT", TXT}, {"AAAA", AAAA},	 {"SRV", SRV}, {"ANY", 255}};
	unsigned long number;
	char *end;

	if (!name)
		return 0;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcasecmp(name, types[i].name))
			return types[i].type;
	if (strncasecmp(name, "TYPE", 4) != 0 || !is_digit((uint8_t)name[4])) /* RFC 3597 §5 */
		return 0;
	number = strtoul(name + 4, &end, 10);
	return *end || number > UINT16_MAX ? 0 : number;
}

static void dns_teardown(void *config)
{
	mem_free(config);
}

static int dns_setup(const void *opts, void **ret_config)
{
	struct health_dns_opts o = {.size = sizeof(o)};
	int r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	struct dns_config *c;

	if (r < 0)
		return r;
	if (o.type > UINT16_MAX || o.flags & ~(HEALTH_DNS_ANY_RCODE | HEALTH_DNS_HAS_ANSWER))
		return -EINVAL;
	if (o.flags & HEALTH_DNS_ANY_RCODE && (o.answer || o.flags & HEALTH_DNS_HAS_ANSWER))
		return -EINVAL;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->type = (uint16_t)(o.type ? o.type : HEALTH_DNS_TYPE_SOA);
	c->flags = o.flags | (o.answer ? HEALTH_DNS_HAS_ANSWER : 0);
	if (!write_query(c, o.name ? o.name : ".", c->type) ||
	    (o.answer && !keep_answer(c, o.answer))) {
		mem_free(c);
		return -EINVAL;
	}
	*ret_config = c;
	return 0;
}

/* Another for each run; SplitMix64's last steps. */
static uint16_t id_of(uint64_t now_ns)
{
	uint64_t x = now_ns + 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (uint16_t)(x ^ x >> 31);
}

static enum health_step dns_open(void *state, const void *config, struct health_probe_io *io)
{
	struct dns_state *s = state;
	const struct dns_config *c = config;
	struct writer w = writer_of(s->query, sizeof(s->query));

	s->id = id_of(io->now_ns);
	write_be16(&w, s->id);
	write_bytes(&w, c->query + 2, c->query_len - 2);
	io->send = s->query;
	io->send_len = c->query_len;
	return HEALTH_STEP_MORE;
}

static const char *rcode_name(unsigned int rcode)
{
	static const char *const names[16] = {
	    "NOERROR",	"FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",  "REFUSED",
	    "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE", "DSOTYPENI",
	};

	return names[rcode] ? names[rcode] : "unknown rcode";
}

/* ---- records ---- */

/*
 * Reads a name, which may point back into the message (RFC 1035 §4.1.4), as text in small letters. The
 * length, or 0 and a bad reader: no name, or too long a text. The root is ".".
 */
static size_t read_name(struct reader *r, const uint8_t *message, char *text)
{
	struct reader at = *r;
	bool jumped = false;
	size_t len = 0;

	for (int steps = 0; steps < NAME_MAX_BYTES; steps++) {
		uint8_t label = read_u8(&at);
		const uint8_t *bytes;

		if (label >= 0xc0) {
			size_t target = (size_t)(label & 0x3f) << 8 | read_u8(&at);

			if (!jumped)
				*r = at;
			jumped = true;
			if (at.bad || target >= (size_t)(at.end - message))
				break;
			at.at = message + target;
			continue;
		}
		if (!label && !at.bad) {
			if (!jumped)
				*r = at;
			if (!len)
				text[len++] = '.';
			text[len] = '\0';
			return len;
		}
		bytes = label < 0x40 ? read_bytes(&at, label) : NULL;
		if (!bytes || len + label + 1 > NAME_MAX_BYTES)
			break;
		if (len)
			text[len++] = '.';
		for (uint8_t i = 0; i < label; i++)
			text[len++] = (char)lower(bytes[i]);
	}
	r->bad = true;
	return 0;
}

static bool text_is_in(const struct dns_config *c, struct reader data)
{
	/* strings of a length each; a long text is several of them, put together */
	char text[1024];
	struct writer w = writer_of(text, sizeof(text));

	while (reader_left(&data)) {
		uint8_t len = read_u8(&data);
		const uint8_t *bytes = read_bytes(&data, len);

		if (bytes)
			write_bytes(&w, bytes, len);
	}
	return memmem(text, writer_len(&w), c->answer, c->answer_len);
}

static bool record_is(const struct dns_config *c, struct reader data, const uint8_t *message)
{
	char name[NAME_MAX_BYTES + 1];
	size_t len;

	switch (c->type) {
	case A:
	case AAAA:
		return reader_left(&data) == c->answer_len &&
		       !memcmp(data.at, c->answer, c->answer_len);
	case TXT:
		return text_is_in(c, data);
	case MX:
		read_be16(&data); /* preference */
		break;
	case SRV:
		read_bytes(&data, 6); /* priority, weight, port */
		break;
	}
	len = read_name(&data, message, name);
	return !data.bad && len == c->answer_len && !memcmp(name, c->answer, len);
}

/* Whether one of `n` records is what was asked for; the reader stands at the first. */
static bool has_record(const struct dns_config *c, struct reader *r, uint16_t n,
		       const uint8_t *message)
{
	char name[NAME_MAX_BYTES + 1];

	for (int i = 0; i < n && i < HEALTH_DNS_RECORDS_MAX && !r->bad; i++) {
		uint16_t type;
		struct reader data;

		read_name(r, message, name);
		type = read_be16(r);
		read_bytes(r, 6); /* class, time to live */
		data = read_part(r, read_be16(r));
		if (!r->bad && type == c->type && (!c->answer_len || record_is(c, data, message)))
			return true;
	}
	return false;
}

static enum health_step judge_records(const struct dns_config *c, struct reader r,
				      struct reader *header, bool truncated, const uint8_t *message,
				      struct health_probe_io *io)
{
	uint16_t questions = read_be16(header), answers = read_be16(header);
	char name[NAME_MAX_BYTES + 1];

	while (questions-- && !r.bad) {
		read_name(&r, message, name);
		read_bytes(&r, 4);
	}
	if (has_record(c, &r, answers, message))
		return reply_ok(io, 0, "NOERROR");
	if (truncated)
		return reply_broken(io, 0, "truncated before the expected record");
	return reply_broken(io, 0, r.bad ? "broken records" : "no such record in the answer");
}

static enum health_step dns_received(void *state, const void *config, const void *data, size_t len,
				     struct health_probe_io *io)
{
	struct dns_state *s = state;
	const struct dns_config *c = config;
	struct reader r = reader_of(data, len), header = read_part(&r, HEADER_BYTES);
	uint16_t id = read_be16(&header), flags = read_be16(&header);
	unsigned int rcode = flags & RCODE;

	if (header.bad || id != s->id || !(flags & FLAG_QR)) {
		s->strangers = true;
		return HEALTH_STEP_MORE;
	}
	if (rcode && !(c->flags & HEALTH_DNS_ANY_RCODE))
		return reply_no(io, rcode, rcode_name(rcode));
	if (c->flags & HEALTH_DNS_HAS_ANSWER)
		return judge_records(c, r, &header, flags & FLAG_TC, data, io);
	return reply_ok(io, rcode, rcode_name(rcode));
}

static enum health_step dns_timeout(void *state, const void *config, struct health_probe_io *io)
{
	const struct dns_state *s = state;

	if (!s->strangers)
		return HEALTH_STEP_MORE;
	answer_set(io, HEALTH_FAIL, HEALTH_CODE_L7TOUT, "datagrams came, none of them the answer");
	return HEALTH_STEP_DONE;
}

const struct health_probe_ops *health_probe_dns(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "dns",
	    .state_size = sizeof(struct dns_state),
	    .flags = HEALTH_PROBE_DATAGRAM,
	    .setup = dns_setup,
	    .teardown = dns_teardown,
	    .open = dns_open,
	    .received = dns_received,
	    .timeout = dns_timeout,
	};

	return &ops;
}
