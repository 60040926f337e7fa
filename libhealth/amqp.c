/* SPDX-License-Identifier: MIT */
/* The AMQP probe: the protocol header, and the methods of a connection's beginning (AMQP 0-9-1 §2.2.4). */
#include <errno.h>
#include <stdio.h>

#include <libhealth/probe_broker.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "base/sized.h"
#include "reply.h"

#define HEADER_BYTES 8
#define FRAME_METHOD 1
#define FRAME_HEAD 7 /* type, channel, size */
#define FRAME_END 0xce
#define CONNECTION 10 /* the class */
#define START 10
#define START_OK 11
#define TUNE 30
#define TUNE_OK 31
#define OPEN 40
#define OPEN_OK 41
#define CLOSE 50
#define OUT_BYTES 1024

struct packet {
	size_t len;
	uint8_t bytes[OUT_BYTES];
};

struct amqp_config {
	bool logs_in;
	struct packet start_ok, open;
};

struct amqp_state {
	enum { WAITS_START, WAITS_TUNE, WAITS_OPEN } at;
	uint8_t out[OUT_BYTES];
};

/* ---- frames out ---- */

static struct writer begin(void *to, size_t size, uint16_t method)
{
	struct writer w = writer_of(to, size);

	write_u8(&w, FRAME_METHOD);
	write_be16(&w, 0); /* channel */
	write_be32(&w, 0); /* size */
	write_be16(&w, CONNECTION);
	write_be16(&w, method);
	return w;
}

/* Fills in the size; the length of the whole frame. */
static size_t end(struct writer *w)
{
	struct writer size = writer_of(w->start + 3, 4);

	write_be32(&size, (uint32_t)(writer_len(w) - FRAME_HEAD));
	write_u8(w, FRAME_END);
	return writer_len(w);
}

static void write_short(struct writer *w, const char *s)
{
	write_u8(w, (uint8_t)strlen(s));
	write_bytes(w, s, strlen(s));
}

/* A table with a table in it: tell us why a login failed, instead of closing without a word. */
static void write_properties(struct writer *w)
{
	static const char capability[] = "authentication_failure_close";
	const uint32_t inner = 1 + sizeof(capability) - 1 + 2, outer = 1 + 12 + 1 + 4 + inner;

	write_be32(w, outer);
	write_short(w, "capabilities");
	write_u8(w, 'F');
	write_be32(w, inner);
	write_short(w, capability);
	write_u8(w, 't');
	write_u8(w, 1);
}

static void write_start_ok(struct packet *p, const char *user, const char *password)
{
	struct writer w = begin(p->bytes, sizeof(p->bytes), START_OK);

	write_properties(&w);
	write_short(&w, "PLAIN");
	write_be32(&w, (uint32_t)(2 + strlen(user) + strlen(password)));
	write_u8(&w, 0);
	write_bytes(&w, user, strlen(user));
	write_u8(&w, 0);
	write_bytes(&w, password, strlen(password));
	write_short(&w, "en_US");
	p->len = end(&w);
}

static void write_open(struct packet *p, const char *vhost)
{
	struct writer w = begin(p->bytes, sizeof(p->bytes), OPEN);

	write_short(&w, vhost);
	write_be16(&w, 0); /* reserved */
	p->len = end(&w);
}

/* ---- the options ---- */

static bool word_valid(const char *s)
{
	return !s || (*s && strnlen(s, HEALTH_BROKER_WORD_MAX + 1) <= HEALTH_BROKER_WORD_MAX);
}

static void amqp_teardown(void *config)
{
	mem_wipe_free(config, sizeof(struct amqp_config));
}

static int amqp_setup(const void *opts, void **ret_config)
{
	struct health_broker_opts o = {.size = sizeof(o)};
	int r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	struct amqp_config *c;

	if (r < 0)
		return r;
	if (!word_valid(o.user) || !word_valid(o.password) || !word_valid(o.vhost) || o.client_id ||
	    (!o.user && (o.password || o.vhost)))
		return -EINVAL;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->logs_in = o.user;
	if (o.user) {
		write_start_ok(&c->start_ok, o.user, o.password ? o.password : "");
		write_open(&c->open, o.vhost ? o.vhost : "/");
	}
	*ret_config = c;
	return 0;
}

/* ---- frames in ---- */

static enum health_step refused(struct reader *r, struct health_probe_io *io)
{
	uint16_t code = read_be16(r);
	struct reader words = read_part(r, read_u8(r));
	char text[HEALTH_TEXT_MAX];

	if (r->bad)
		return reply_broken(io, 0, "not an AMQP method");
	snprintf(text, sizeof(text), "%.*s", (int)reader_left(&words),
		 reader_left(&words) ? (const char *)words.at : "");
	return reply_no(io, code, text);
}

/* What the server proposes is taken; then the virtual host is asked for, both in one breath. */
static enum health_step tuned(struct amqp_state *s, const struct amqp_config *c, struct reader *r,
			      struct health_probe_io *io)
{
	const uint8_t *proposed = read_bytes(r, 8);
	struct writer w = begin(s->out, sizeof(s->out), TUNE_OK);
	size_t len;

	if (!proposed)
		return reply_broken(io, 0, "not an AMQP method");
	write_bytes(&w, proposed, 8);
	len = end(&w);
	w = writer_of(s->out + len, sizeof(s->out) - len);
	write_bytes(&w, c->open.bytes, c->open.len);
	s->at = WAITS_OPEN;
	return reply_send(io, s->out, len + writer_len(&w));
}

static enum health_step farewell(struct amqp_state *s, struct health_probe_io *io)
{
	struct writer w = begin(s->out, sizeof(s->out), CLOSE);

	write_be16(&w, 200);
	write_short(&w, "bye");
	write_be32(&w, 0); /* no method is to blame */
	reply_send(io, s->out, end(&w));
	return reply_ok(io, 0, "logged in");
}

static enum health_step read_method(struct amqp_state *s, const struct amqp_config *c,
				    struct reader r, struct health_probe_io *io)
{
	uint16_t class = read_be16(&r), method = read_be16(&r);

	if (r.bad || class != CONNECTION)
		return reply_broken(io, 0, "not an AMQP method");
	if (method == CLOSE)
		return refused(&r, io);
	if (s->at == WAITS_START && method == START) {
		if (!c->logs_in)
			return reply_ok(io, 0, "AMQP 0-9-1");
		s->at = WAITS_TUNE;
		return reply_send(io, c->start_ok.bytes, c->start_ok.len);
	}
	if (s->at == WAITS_TUNE && method == TUNE)
		return tuned(s, c, &r, io);
	if (s->at == WAITS_OPEN && method == OPEN_OK)
		return farewell(s, io);
	return reply_broken(io, 0, "not the AMQP method that comes now");
}

static enum health_step amqp_open(void *state, const void *config, struct health_probe_io *io)
{
	static const uint8_t header[HEADER_BYTES] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};

	return reply_send(io, header, sizeof(header));
}

/* A server that speaks another version answers with its own protocol header (§4.2.2). */
static enum health_step other_version(const void *data, size_t len, struct health_probe_io *io)
{
	if (memcmp(data, "AMQP", len < 4 ? len : 4) != 0)
		return reply_broken(io, 0, "not AMQP");
	if (len >= HEADER_BYTES)
		return reply_no(io, 0, "another version of AMQP");
	io->consumed = 0;
	return HEALTH_STEP_MORE;
}

static enum health_step amqp_received(void *state, const void *config, const void *data, size_t len,
				      struct health_probe_io *io)
{
	struct reader r = reader_of(data, len), body;
	uint8_t type = read_u8(&r);
	uint32_t size;

	if (type == 'A')
		return other_version(data, len, io);
	if (type != FRAME_METHOD)
		return reply_broken(io, 0, "not AMQP");
	read_be16(&r); /* channel */
	size = read_be32(&r);
	if (!r.bad && size > HEALTH_BROKER_FRAME_MAX)
		return reply_broken(io, 0, "not AMQP");
	body = read_part(&r, size);
	type = read_u8(&r);
	if (r.bad) {
		io->consumed = 0;
		return HEALTH_STEP_MORE;
	}
	if (type != FRAME_END)
		return reply_broken(io, 0, "an AMQP frame without its end");
	io->consumed = len - reader_left(&r);
	return read_method(state, config, body, io);
}

const struct health_probe_ops *health_probe_amqp(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "amqp",
	    .state_size = sizeof(struct amqp_state),
	    .flags = HEALTH_PROBE_FIN | HEALTH_PROBE_FIRST,
	    .setup = amqp_setup,
	    .teardown = amqp_teardown,
	    .open = amqp_open,
	    .received = amqp_received,
	};

	return &ops;
}
