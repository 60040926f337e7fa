/* SPDX-License-Identifier: MIT */
/* The LDAP probe: three requests made once, the answers' result codes read (RFC 4511). */
#include <errno.h>
#include <stdio.h>

#include <libhealth/probe_ldap.h>

#include "base/mem.h"
#include "base/sized.h"
#include "ber.h"
#include "reply.h"

/* Tags of RFC 4511's messages: [APPLICATION n]. */
#define BIND_REQUEST 0x60
#define BIND_RESPONSE 0x61
#define UNBIND_REQUEST 0x42
#define SEARCH_REQUEST 0x63
#define SEARCH_ENTRY 0x64
#define SEARCH_DONE 0x65
#define SEARCH_REFERENCE 0x73
#define EXTENDED_REQUEST 0x77
#define EXTENDED_RESPONSE 0x78
#define REQUEST_NAME 0x80   /* [0] of ExtendedRequest */
#define SIMPLE 0x80	    /* [0] of AuthenticationChoice */
#define FILTER_PRESENT 0x87 /* [7] of Filter */

#define BIND_ID 1
#define SEARCH_ID 2
#define UNBIND_ID 3
#define STARTTLS_ID 4
#define MESSAGE_BYTES 1200

struct message {
	size_t len;
	uint8_t bytes[MESSAGE_BYTES];
};

struct ldap_config {
	struct message starttls, bind, search, unbind; /* starttls and search: len 0: none */
};

struct ldap_state {
	bool bound, has_entry;
	uint8_t messages;
};

static void ldap_teardown(void *config)
{
	mem_wipe_free(config, sizeof(struct ldap_config));
}

/* ---- the requests ---- */

static struct writer begin(struct message *m, uint8_t id, uint8_t **ret_start)
{
	struct writer w = writer_of(m->bytes, sizeof(m->bytes));

	*ret_start = ber_begin(&w, BER_SEQUENCE);
	ber_write_small(&w, BER_INTEGER, id);
	return w;
}

static void end(struct message *m, struct writer *w, uint8_t *start)
{
	ber_end(w, start);
	m->len = w->bad ? 0 : writer_len(w);
}

static void write_text(struct writer *w, uint8_t tag, const char *text)
{
	ber_write(w, tag, text, strlen(text));
}

static void write_starttls(struct message *m)
{
	uint8_t *start, *request;
	struct writer w = begin(m, STARTTLS_ID, &start);

	request = ber_begin(&w, EXTENDED_REQUEST);
	write_text(&w, REQUEST_NAME, "1.3.6.1.4.1.1466.20037"); /* RFC 4511 §4.14.1 */
	ber_end(&w, request);
	end(m, &w, start);
}

static void write_bind(struct message *m, const struct health_ldap_opts *o)
{
	uint8_t *start, *request;
	struct writer w = begin(m, BIND_ID, &start);

	request = ber_begin(&w, BIND_REQUEST);
	ber_write_small(&w, BER_INTEGER, 3); /* version */
	write_text(&w, BER_OCTETS, o->bind_dn ? o->bind_dn : "");
	write_text(&w, SIMPLE, o->bind_dn ? o->password : "");
	ber_end(&w, request);
	end(m, &w, start);
}

/* One entry and none of its attributes: "1.1" (RFC 4511 §4.5.1.8). */
static void write_search(struct message *m, const char *base)
{
	static const uint8_t no = 0;
	uint8_t *start, *request, *attributes;
	struct writer w = begin(m, SEARCH_ID, &start);

	request = ber_begin(&w, SEARCH_REQUEST);
	write_text(&w, BER_OCTETS, base);
	ber_write_small(&w, BER_ENUM, 0);    /* baseObject */
	ber_write_small(&w, BER_ENUM, 0);    /* neverDerefAliases */
	ber_write_small(&w, BER_INTEGER, 1); /* sizeLimit */
	ber_write_small(&w, BER_INTEGER, 0); /* timeLimit */
	ber_write(&w, 0x01, &no, 1);	     /* typesOnly */
	write_text(&w, FILTER_PRESENT, "objectClass");
	attributes = ber_begin(&w, BER_SEQUENCE);
	write_text(&w, BER_OCTETS, "1.1");
	ber_end(&w, attributes);
	ber_end(&w, request);
	end(m, &w, start);
}

static void write_unbind(struct message *m)
{
	uint8_t *start;
	struct writer w = begin(m, UNBIND_ID, &start);

	ber_write(&w, UNBIND_REQUEST, "", 0);
	end(m, &w, start);
}

static bool word_valid(const char *s)
{
	return *s && strnlen(s, HEALTH_LDAP_WORD_MAX + 1) <= HEALTH_LDAP_WORD_MAX;
}

static int ldap_setup(const void *opts, void **ret_config)
{
	struct health_ldap_opts o = {.size = sizeof(o)};
	int r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	struct ldap_config *c;

	if (r < 0)
		return r;
	if (!o.bind_dn != !o.password || (o.bind_dn && !word_valid(o.bind_dn)) ||
	    (o.password && !word_valid(o.password)) || (o.base && !word_valid(o.base)))
		return -EINVAL;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	if (o.starttls)
		write_starttls(&c->starttls);
	write_bind(&c->bind, &o);
	if (o.base)
		write_search(&c->search, o.base);
	write_unbind(&c->unbind);
	*ret_config = c;
	return 0;
}

/* ---- the answers ---- */

static const char *result_name(uint32_t code)
{
	static const char *const names[] = {
	    [0] = "success",
	    [1] = "operationsError",
	    [2] = "protocolError",
	    [3] = "timeLimitExceeded",
	    [7] = "authMethodNotSupported",
	    [8] = "strongerAuthRequired",
	    [10] = "referral",
	    [13] = "confidentialityRequired",
	    [32] = "noSuchObject",
	    [34] = "invalidDNSyntax",
	    [48] = "inappropriateAuthentication",
	    [49] = "invalidCredentials",
	    [50] = "insufficientAccessRights",
	    [51] = "busy",
	    [52] = "unavailable",
	    [53] = "unwillingToPerform",
	};

	return code < sizeof(names) / sizeof(*names) && names[code] ? names[code] : "refused";
}

static bool wants_tls(const struct ldap_config *c, const struct health_probe_io *io)
{
	return c->starttls.len && !io->tls;
}

/* LDAPResult: the code, a DN, and words for people. */
static enum health_step read_result(struct ldap_state *s, const struct ldap_config *c,
				    struct reader *r, struct health_probe_io *io)
{
	uint32_t code = ber_read_number(r, BER_ENUM);
	struct reader words;
	char text[HEALTH_TEXT_MAX];

	ber_read(r, BER_OCTETS);
	words = ber_read(r, BER_OCTETS);
	if (r->bad)
		return reply_broken(io, 0, "not an LDAP result");
	snprintf(text, sizeof(text), "%s%s%.*s", result_name(code), reader_left(&words) ? ": " : "",
		 reader_left(&words) < sizeof(text) ? (int)reader_left(&words) : (int)sizeof(text),
		 reader_left(&words) ? (const char *)words.at : "");
	if (code)
		return reply_no(io, code, text);
	if (wants_tls(c, io))
		return HEALTH_STEP_TLS;
	if (!s->bound && c->search.len) {
		s->bound = true;
		return reply_send(io, c->search.bytes, c->search.len);
	}
	if (s->bound && !s->has_entry)
		return reply_no(io, code, "the base is not there");
	reply_send(io, c->unbind.bytes, c->unbind.len);
	return reply_ok(io, code, text);
}

/* The request that is open, and the tag of what ends its answer. */
struct asked {
	uint8_t id, answer;
};

static struct asked what_was_asked(const struct ldap_state *s, const struct ldap_config *c,
				   const struct health_probe_io *io)
{
	if (wants_tls(c, io))
		return (struct asked){STARTTLS_ID, EXTENDED_RESPONSE};
	if (!s->bound)
		return (struct asked){BIND_ID, BIND_RESPONSE};
	return (struct asked){SEARCH_ID, SEARCH_DONE};
}

static enum health_step read_message(struct ldap_state *s, const struct ldap_config *c,
				     struct reader message, struct health_probe_io *io)
{
	const struct asked asked = what_was_asked(s, c, io);
	uint32_t id = ber_read_number(&message, BER_INTEGER), len;
	uint8_t tag = ber_read_head(&message, &len);
	struct reader body = read_part(&message, len);

	if (!body.bad && id == 0) /* a notice of disconnection (RFC 4511 §4.4.1) */
		return reply_no(io, ber_read_number(&body, BER_ENUM), "the server disconnects");
	if (body.bad || id != asked.id)
		return reply_broken(io, 0, "not an LDAP answer");
	if (tag == asked.answer)
		return read_result(s, c, &body, io);
	if (!s->bound || (tag != SEARCH_ENTRY && tag != SEARCH_REFERENCE))
		return reply_broken(io, 0, "not the LDAP answer to the request");
	s->has_entry |= tag == SEARCH_ENTRY;
	return HEALTH_STEP_MORE;
}

static enum health_step ldap_open(void *state, const void *config, struct health_probe_io *io)
{
	const struct ldap_config *c = config;
	const struct message *first = wants_tls(c, io) ? &c->starttls : &c->bind;

	return reply_send(io, first->bytes, first->len);
}

static enum health_step ldap_received(void *state, const void *config, const void *data, size_t len,
				      struct health_probe_io *io)
{
	struct reader r = reader_of(data, len), message;
	struct ldap_state *s = state;

	switch (ber_take(&r, BER_SEQUENCE, HEALTH_LDAP_MESSAGE_MAX, &message)) {
	case 1:
		io->consumed = len - reader_left(&r);
		break;
	case 0:
		io->consumed = 0;
		return HEALTH_STEP_MORE;
	default:
		return reply_broken(io, 0, "not LDAP");
	}
	if (++s->messages > HEALTH_LDAP_MESSAGES_MAX)
		return reply_broken(io, 0, "answer of too many messages");
	return read_message(s, config, message, io);
}

const struct health_probe_ops *health_probe_ldap(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "ldap",
	    .state_size = sizeof(struct ldap_state),
	    .flags = HEALTH_PROBE_FIN | HEALTH_PROBE_FIRST,
	    .setup = ldap_setup,
	    .teardown = ldap_teardown,
	    .open = ldap_open,
	    .received = ldap_received,
	};

	return &ops;
}
