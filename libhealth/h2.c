/* SPDX-License-Identifier: MIT */
/* The HTTP/2 and gRPC health probes: the whole of libhealth-h2. nghttp2 reads and writes frames; it does no I/O. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include <libhealth/h2.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "base/sized.h"
#include "line.h"

#define HEAD_MAX 65536	 /* bytes of all fields of an answer, names and values */
#define MESSAGE_MAX 64	 /* bytes of a HealthCheckResponse that are looked at */
#define OUT_MAX 65536	 /* bytes in reply to one piece of the server */
#define GRPC_PREFIX 5	 /* compressed or not, and the length */
#define GRPC_UNKNOWN 256 /* no grpc-status was said */
#define SERVING 1
#define FRAME_HEAD 9

struct h2_config {
	bool is_grpc;
	char path[HEALTH_HTTP_PATH_MAX + 1];
	char authority[HEALTH_HTTP_HOST_MAX + 1];
	struct health_http_range status[HEALTH_HTTP_STATUS_MAX];
	size_t n_status;
	size_t body_len; /* of a gRPC request */
	uint8_t body[GRPC_PREFIX + 3 + HEALTH_GRPC_SERVICE_MAX];
};

struct h2_state {
	const struct h2_config *config;
	nghttp2_session *session;
	int32_t stream;
	size_t body_sent;
	uint8_t *out; /* what goes out next */
	size_t out_len;

	/* the answer */
	bool done, reset;
	uint32_t error; /* of the stream, when it was reset */
	uint16_t status, grpc_status;
	size_t head_bytes;
	uint8_t message[MESSAGE_MAX];
	size_t message_len;
	char text[HEALTH_TEXT_MAX]; /* grpc-message */
};

/* ---- the options ---- */

static bool keep_visible(char *ret, const char *s, size_t max)
{
	size_t len = strnlen(s, max + 1);

	if (!len || len > max)
		return false;
	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	memcpy(ret, s, len + 1);
	return true;
}

static bool keep_status(struct h2_config *c, const struct health_http_range *status, size_t n)
{
	if (n > HEALTH_HTTP_STATUS_MAX || !n != !status)
		return false;
	c->status[0] = (struct health_http_range){200, 299};
	c->n_status = n ? n : 1;
	for (size_t i = 0; i < n; i++) {
		if (status[i].first < 100 || status[i].last > 999 ||
		    status[i].first > status[i].last)
			return false;
		c->status[i] = status[i];
	}
	return true;
}

static void h2_teardown(void *config)
{
	mem_free(config);
}

static int finish(struct h2_config *c, bool valid, void **ret_config)
{
	if (!valid) {
		h2_teardown(c);
		return -EINVAL;
	}
	*ret_config = c;
	return 0;
}

static int h2_setup(const void *opts, void **ret_config)
{
	struct health_h2_opts o = {.size = sizeof(o)};
	int r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	struct h2_config *c;

	if (r < 0)
		return r;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	if (!o.path)
		o.path = "/";
	return finish(c,
		      keep_visible(c->path, o.path, HEALTH_HTTP_PATH_MAX) && c->path[0] == '/' &&
			  keep_visible(c->authority, o.authority ? o.authority : "localhost",
				       HEALTH_HTTP_HOST_MAX) &&
			  keep_status(c, o.status, o.n_status),
		      ret_config);
}

/* HealthCheckRequest {1: string service} behind its prefix; an empty name is left out, as protobuf does. */
static void write_request(struct h2_config *c, const char *service)
{
	struct writer w = writer_of(c->body, sizeof(c->body));
	size_t len = strlen(service), varint = len > 127 ? 2 : 1;

	write_u8(&w, 0); /* not compressed */
	write_be32(&w, (uint32_t)(len ? 1 + varint + len : 0));
	if (len) {
		write_u8(&w, 0x0a); /* field 1, bytes */
		write_u8(&w, (uint8_t)(len > 127 ? len | 128 : len));
		if (len > 127)
			write_u8(&w, (uint8_t)(len >> 7));
		write_bytes(&w, service, len);
	}
	c->body_len = writer_len(&w);
}

static int grpc_setup(const void *opts, void **ret_config)
{
	struct health_grpc_opts o = {.size = sizeof(o)};
	int r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	struct h2_config *c;

	if (r < 0)
		return r;
	if (!o.service)
		o.service = "";
	if (strnlen(o.service, HEALTH_GRPC_SERVICE_MAX + 1) > HEALTH_GRPC_SERVICE_MAX)
		return -EINVAL;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->is_grpc = true;
	write_request(c, o.service);
	return finish(c,
		      keep_visible(c->path, "/grpc.health.v1.Health/Check", HEALTH_HTTP_PATH_MAX) &&
			  keep_visible(c->authority, o.authority ? o.authority : "localhost",
				       HEALTH_HTTP_HOST_MAX),
		      ret_config);
}

/* ---- what nghttp2 tells ---- */

static uint16_t read_number(const uint8_t *value, size_t len)
{
	struct reader r = reader_of(value, len);
	uint16_t n = 0;

	if (!len || len > 3)
		return GRPC_UNKNOWN;
	while (reader_left(&r)) {
		uint8_t c = read_u8(&r);

		if (!is_digit(c))
			return GRPC_UNKNOWN;
		n = (uint16_t)(n * 10 + c - '0');
	}
	return n;
}

static bool is(const uint8_t *name, size_t len, const char *what)
{
	return len == strlen(what) && !memcmp(name, what, len);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *userdata)
{
	struct h2_state *s = userdata;
	struct reader text = reader_of(value, value_len);

	s->head_bytes += name_len + value_len;
	if (s->head_bytes > HEAD_MAX)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (frame->hd.stream_id != s->stream)
		return 0;
	if (is(name, name_len, ":status"))
		s->status = read_number(value, value_len);
	else if (is(name, name_len, "grpc-status"))
		s->grpc_status = read_number(value, value_len);
	else if (is(name, name_len, "grpc-message"))
		line_excerpt(&text, s->text, sizeof(s->text));
	return 0;
}

/* A head is whole; without a body to wait for, that is the answer. Interim ones (1xx) are not. */
static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
	struct h2_state *s = userdata;

	if (frame->hd.type == NGHTTP2_HEADERS && frame->hd.stream_id == s->stream &&
	    !s->config->is_grpc && s->status >= 200)
		s->done = true;
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
		   size_t len, void *userdata)
{
	struct h2_state *s = userdata;
	size_t room = sizeof(s->message) - s->message_len;

	if (stream != s->stream)
		return 0;
	if (len > room)
		len = room;
	memcpy(s->message + s->message_len, data, len);
	s->message_len += len;
	return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *userdata)
{
	struct h2_state *s = userdata;

	if (stream != s->stream || s->done)
		return 0;
	s->done = true;
	s->reset = error != NGHTTP2_NO_ERROR;
	s->error = error;
	return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *buf, size_t len,
			 uint32_t *flags, nghttp2_data_source *source, void *userdata)
{
	struct h2_state *s = userdata;
	size_t left = s->config->body_len - s->body_sent;

	if (len > left)
		len = left;
	memcpy(buf, s->config->body + s->body_sent, len);
	s->body_sent += len;
	if (s->body_sent == s->config->body_len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)len;
}

/* ---- a run ---- */

static enum health_step over(struct health_probe_io *io, enum health_verdict verdict,
			     enum health_code code, uint32_t status, const char *text)
{
	snprintf(io->text, sizeof(io->text), "%s", text);
	io->verdict = verdict;
	io->code = code;
	io->status = status;
	return HEALTH_STEP_DONE;
}

static enum health_step broken(struct health_probe_io *io, uint32_t status, const char *text)
{
	return over(io, HEALTH_FAIL, HEALTH_CODE_L7RSP, status, text);
}

static enum health_step out_of_memory(struct health_probe_io *io)
{
	return over(io, HEALTH_NEUTRAL, HEALTH_CODE_SOCKERR, 0, "out of memory");
}

/* All that nghttp2 wants to say, behind what it said in this call. False: no memory, or too much of it. */
static bool flush(struct h2_state *s, struct health_probe_io *io)
{
	for (;;) {
		const uint8_t *data;
		ssize_t n = nghttp2_session_mem_send(s->session, &data);
		uint8_t *all;

		if (n < 0 || s->out_len + (size_t)n > OUT_MAX)
			return false;
		if (!n)
			break;
		all = mem_regrow(s->out, s->out_len + (size_t)n, 1);
		if (!all)
			return false;
		memcpy(all + s->out_len, data, (size_t)n);
		s->out = all;
		s->out_len += (size_t)n;
	}
	io->send = s->out;
	io->send_len = s->out_len;
	return true;
}

/* No DATA beyond the first window, no more settings and pushes than the protocol's own. */
static int new_session(struct h2_state *s)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	int r = NGHTTP2_ERR_NOMEM;

	if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
		nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
		nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
		nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
		nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
		nghttp2_option_set_no_auto_window_update(option, 1);
		r = nghttp2_session_client_new2(&s->session, callbacks, s, option);
	}
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return r;
}

static nghttp2_nv field(const char *name, const char *value)
{
	/* nghttp2 copies both; its struct has no const */
	return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
			    .value = (uint8_t *)(uintptr_t)value,
			    .namelen = strlen(name),
			    .valuelen = strlen(value)};
}

static int submit(struct h2_state *s, bool tls)
{
	static const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
	const struct h2_config *c = s->config;
	const nghttp2_nv fields[] = {
	    field(":method", c->is_grpc ? "POST" : "GET"),
	    field(":scheme", tls ? "https" : "http"),
	    field(":authority", c->authority),
	    field(":path", c->path),
	    field("user-agent", "libhealth"),
	    field("content-type", "application/grpc"), /* these two for gRPC */
	    field("te", "trailers"),
	};
	const nghttp2_data_provider body = {.read_callback = read_body};
	int r = nghttp2_submit_settings(s->session, NGHTTP2_FLAG_NONE, settings, 1);

	if (r == 0)
		s->stream = r = nghttp2_submit_request(s->session, NULL, fields, c->is_grpc ? 7 : 5,
						       c->is_grpc ? &body : NULL, NULL);
	return r;
}

static enum health_step h2_open(void *state, const void *config, struct health_probe_io *io)
{
	struct h2_state *s = state;

	if (io->tls && *io->alpn && strcmp(io->alpn, "h2") != 0)
		return broken(io, 0, "the server chose another protocol than h2");
	s->config = config;
	s->grpc_status = GRPC_UNKNOWN;
	if (new_session(s) < 0 || submit(s, io->tls) < 0 || !flush(s, io))
		return out_of_memory(io);
	return HEALTH_STEP_MORE;
}

/* ---- the judgement ---- */

/* HealthCheckResponse {1: enum status}; a field that is not there is 0. -1: it is none. */
static int serving_status(const struct h2_state *s)
{
	struct reader r = reader_of(s->message, s->message_len);
	uint8_t compressed = read_u8(&r);
	uint32_t len = read_be32(&r);

	if (r.bad || compressed || len != reader_left(&r))
		return -1;
	if (!len)
		return 0;
	if (read_u8(&r) != 0x08 || reader_left(&r) != 1) /* field 1, a number of one byte */
		return -1;
	return read_u8(&r);
}

static enum health_step judge_grpc(const struct h2_state *s, struct health_probe_io *io)
{
	static const char *const names[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
	char text[HEALTH_TEXT_MAX];
	int serving;

	if (s->status != 200) {
		snprintf(text, sizeof(text), "HTTP status %u", s->status);
		return over(io, HEALTH_FAIL, HEALTH_CODE_L7STS, s->status, text);
	}
	if (s->grpc_status == GRPC_UNKNOWN)
		return broken(io, 0, "no grpc-status: not gRPC");
	if (s->grpc_status) {
		snprintf(text, sizeof(text), "grpc-status %u %.60s", s->grpc_status, s->text);
		return over(io, HEALTH_FAIL, HEALTH_CODE_L7STS, s->grpc_status, text);
	}
	serving = serving_status(s);
	if (serving < 0)
		return broken(io, 0, "not a HealthCheckResponse");
	if (serving == SERVING)
		return over(io, HEALTH_OK, HEALTH_CODE_L7OK, 0, names[SERVING]);
	return over(io, HEALTH_FAIL, HEALTH_CODE_L7STS, 0,
		    (size_t)serving < sizeof(names) / sizeof(*names) ? names[serving]
								     : "not serving");
}

static enum health_step judge_h2(const struct h2_state *s, struct health_probe_io *io)
{
	char text[HEALTH_TEXT_MAX];

	snprintf(text, sizeof(text), "HTTP/2 %u", s->status);
	for (size_t i = 0; i < s->config->n_status; i++)
		if (s->status >= s->config->status[i].first &&
		    s->status <= s->config->status[i].last)
			return over(io, HEALTH_OK, HEALTH_CODE_L7OK, s->status, text);
	return over(io, HEALTH_FAIL, HEALTH_CODE_L7STS, s->status, text);
}

static enum health_step judge(struct h2_state *s, struct health_probe_io *io)
{
	char text[HEALTH_TEXT_MAX];

	/* What is owed first: a session that ends says GOAWAY and no more. */
	if (!flush(s, io) || nghttp2_session_terminate_session(s->session, NGHTTP2_NO_ERROR) < 0 ||
	    !flush(s, io))
		return out_of_memory(io);
	if (s->reset) {
		snprintf(text, sizeof(text), "the stream was reset: %s",
			 nghttp2_http2_strerror(s->error));
		return broken(io, s->status, text);
	}
	return s->config->is_grpc ? judge_grpc(s, io) : judge_h2(s, io);
}

/* A whole frame at a time, so that what we do does not depend on how the server's bytes were cut. */
static enum health_step h2_received(void *state, const void *config, const void *data, size_t len,
				    struct health_probe_io *io)
{
	struct h2_state *s = state;
	struct reader r = reader_of(data, len);
	size_t size = (size_t)read_u8(&r) << 16;
	ssize_t n;

	size = (size | read_be16(&r)) + FRAME_HEAD;
	s->out_len = 0;
	if (!r.bad && size > HEALTH_PROBE_UNREAD_MAX)
		return broken(io, s->status, "not HTTP/2, or a frame too long");
	if (len < FRAME_HEAD || len < size) {
		io->consumed = 0;
		return HEALTH_STEP_MORE;
	}
	io->consumed = size;
	n = nghttp2_session_mem_recv(s->session, data, io->consumed);
	if (n == NGHTTP2_ERR_NOMEM)
		return out_of_memory(io);
	if (n < 0)
		return broken(io, s->status, nghttp2_strerror((int)n));
	if (s->done)
		return judge(s, io);
	if (!flush(s, io))
		return out_of_memory(io);
	if (!nghttp2_session_want_read(s->session))
		return broken(io, s->status, "not HTTP/2");
	return HEALTH_STEP_MORE;
}

static void h2_end(void *state, const void *config)
{
	struct h2_state *s = state;

	nghttp2_session_del(s->session);
	mem_free(s->out);
}

const struct health_probe_ops *health_probe_h2(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "h2",
	    .state_size = sizeof(struct h2_state),
	    .flags = HEALTH_PROBE_FIN | HEALTH_PROBE_FIRST,
	    .setup = h2_setup,
	    .teardown = h2_teardown,
	    .open = h2_open,
	    .received = h2_received,
	    .end = h2_end,
	};

	return &ops;
}

const struct health_probe_ops *health_probe_grpc(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "grpc",
	    .state_size = sizeof(struct h2_state),
	    .flags = HEALTH_PROBE_FIN | HEALTH_PROBE_FIRST,
	    .setup = grpc_setup,
	    .teardown = h2_teardown,
	    .open = h2_open,
	    .received = h2_received,
	    .end = h2_end,
	};

	return &ops;
}
