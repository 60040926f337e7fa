/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

#include "nl/msg.h"

/* The kernel's errors end here (MAX_ERRNO). */
#define NL_ERRNO_MAX 4095

static size_t pad_of(size_t len)
{
	return (NL_ALIGN - len % NL_ALIGN) % NL_ALIGN;
}

/* -- building ---------------------------------------------------------------------------------- */

size_t nl_msg_begin(struct writer *w, uint16_t type, uint16_t flags)
{
	size_t at = writer_len(w);

	write_host32(w, 0); /* the length: nl_msg_end */
	write_host16(w, type);
	write_host16(w, flags);
	write_zero(w, 8); /* sequence and port */
	return at;
}

void nl_msg_end(struct writer *w, size_t msg)
{
	uint32_t len = (uint32_t)(writer_len(w) - msg);

	write_zero(w, pad_of(len));
	if (!w->bad)
		memcpy(w->start + msg, &len, sizeof(len));
}

void nl_genl_put(struct writer *w, uint8_t cmd, uint8_t version)
{
	write_u8(w, cmd);
	write_u8(w, version);
	write_host16(w, 0);
}

void nl_nfgen_put(struct writer *w, uint8_t family, uint16_t res_id)
{
	write_u8(w, family);
	write_u8(w, 0); /* NFNETLINK_V0 */
	write_be16(w, res_id);
}

void nl_attr_put(struct writer *w, uint16_t type, const void *data, size_t len)
{
	if (len > UINT16_MAX - NL_ATTR_BYTES) {
		w->bad = true;
		return;
	}
	write_host16(w, (uint16_t)(NL_ATTR_BYTES + len));
	write_host16(w, type);
	write_bytes(w, data, len);
	write_zero(w, pad_of(len));
}

void nl_attr_put_u8(struct writer *w, uint16_t type, uint8_t v)
{
	nl_attr_put(w, type, &v, sizeof(v));
}

void nl_attr_put_u16(struct writer *w, uint16_t type, uint16_t v)
{
	nl_attr_put(w, type, &v, sizeof(v));
}

void nl_attr_put_u32(struct writer *w, uint16_t type, uint32_t v)
{
	nl_attr_put(w, type, &v, sizeof(v));
}

void nl_attr_put_u64(struct writer *w, uint16_t type, uint64_t v)
{
	nl_attr_put(w, type, &v, sizeof(v));
}

/* The low `len` bytes of `v`, most significant first. */
static void put_be(struct writer *w, uint16_t type, uint64_t v, size_t len)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(v >> 8 * (len - 1 - i));
	nl_attr_put(w, type, bytes, len);
}

void nl_attr_put_be16(struct writer *w, uint16_t type, uint16_t v)
{
	put_be(w, type, v, sizeof(v));
}

void nl_attr_put_be32(struct writer *w, uint16_t type, uint32_t v)
{
	put_be(w, type, v, sizeof(v));
}

void nl_attr_put_be64(struct writer *w, uint16_t type, uint64_t v)
{
	put_be(w, type, v, sizeof(v));
}

void nl_attr_put_str(struct writer *w, uint16_t type, const char *s)
{
	nl_attr_put(w, type, s, strlen(s) + 1);
}

size_t nl_nest_begin(struct writer *w, uint16_t type)
{
	size_t at = writer_len(w);

	write_host16(w, 0); /* the length: nl_nest_end */
	write_host16(w, type | NLA_F_NESTED);
	return at;
}

void nl_nest_end(struct writer *w, size_t nest)
{
	size_t len = writer_len(w) - nest;
	uint16_t len16 = (uint16_t)len;

	if (len > UINT16_MAX)
		w->bad = true;
	if (!w->bad)
		memcpy(w->start + nest, &len16, sizeof(len16));
}

/* -- reading ----------------------------------------------------------------------------------- */

/* The last message or attribute may come without its padding. */
static void skip_pad(struct reader *r, size_t len)
{
	size_t pad = pad_of(len), left = reader_left(r);

	read_bytes(r, pad < left ? pad : left);
}

bool nl_msg_next(struct reader *r, struct nl_msg *ret)
{
	struct nl_msg msg;
	uint32_t len;

	if (!reader_left(r))
		return false;
	len = read_host32(r);
	msg.type = read_host16(r);
	msg.flags = read_host16(r);
	msg.seq = read_host32(r);
	msg.port = read_host32(r);
	if (len < NL_HEADER_BYTES)
		r->bad = true;
	msg.body = read_part(r, len - NL_HEADER_BYTES);
	if (r->bad)
		return false;
	skip_pad(r, len);
	*ret = msg;
	return true;
}

bool nl_genl_take(struct reader *body, struct nl_genl *ret)
{
	struct nl_genl h;

	h.cmd = read_u8(body);
	h.version = read_u8(body);
	read_host16(body);
	if (body->bad)
		return false;
	*ret = h;
	return true;
}

bool nl_nfgen_take(struct reader *body, struct nl_nfgen *ret)
{
	struct nl_nfgen h;

	h.family = read_u8(body);
	h.version = read_u8(body);
	h.res_id = read_be16(body);
	if (body->bad)
		return false;
	*ret = h;
	return true;
}

bool nl_attr_next(struct reader *r, struct nl_attr *ret)
{
	struct nl_attr a;
	uint16_t len;

	if (!reader_left(r))
		return false;
	len = read_host16(r);
	a.type = read_host16(r) & NLA_TYPE_MASK;
	if (len < NL_ATTR_BYTES)
		r->bad = true;
	a.data = read_part(r, (size_t)len - NL_ATTR_BYTES);
	if (r->bad)
		return false;
	skip_pad(r, len);
	*ret = a;
	return true;
}

bool nl_attr_bytes(const struct nl_attr *a, void *ret, size_t len)
{
	struct reader data = a->data;

	if (data.bad || reader_left(&data) != len)
		return false;
	read_copy(&data, ret, len);
	return true;
}

bool nl_attr_u8(const struct nl_attr *a, uint8_t *ret)
{
	return nl_attr_bytes(a, ret, sizeof(*ret));
}

bool nl_attr_u16(const struct nl_attr *a, uint16_t *ret)
{
	return nl_attr_bytes(a, ret, sizeof(*ret));
}

bool nl_attr_u32(const struct nl_attr *a, uint32_t *ret)
{
	return nl_attr_bytes(a, ret, sizeof(*ret));
}

bool nl_attr_u64(const struct nl_attr *a, uint64_t *ret)
{
	return nl_attr_bytes(a, ret, sizeof(*ret));
}

static bool get_be(const struct nl_attr *a, size_t len, uint64_t *ret)
{
	uint8_t bytes[8];
	uint64_t v = 0;

	if (!nl_attr_bytes(a, bytes, len))
		return false;
	for (size_t i = 0; i < len; i++)
		v = v << 8 | bytes[i];
	*ret = v;
	return true;
}

bool nl_attr_be16(const struct nl_attr *a, uint16_t *ret)
{
	uint64_t v;

	if (!get_be(a, sizeof(*ret), &v))
		return false;
	*ret = (uint16_t)v;
	return true;
}

bool nl_attr_be32(const struct nl_attr *a, uint32_t *ret)
{
	uint64_t v;

	if (!get_be(a, sizeof(*ret), &v))
		return false;
	*ret = (uint32_t)v;
	return true;
}

bool nl_attr_be64(const struct nl_attr *a, uint64_t *ret)
{
	return get_be(a, sizeof(*ret), ret);
}

bool nl_attr_str(const struct nl_attr *a, char *ret, size_t cap)
{
	struct reader data = a->data;
	size_t left = reader_left(&data), len = left ? strnlen((const char *)data.at, left) : 0;

	if (data.bad || len >= cap)
		return false;
	read_copy(&data, ret, len);
	ret[len] = 0;
	return true;
}

/* The extended text among the attributes that follow the error, cut to its room. */
static void read_text(struct reader *r, struct nl_error *e)
{
	struct nl_attr a;

	while (nl_attr_next(r, &a)) {
		size_t len = reader_left(&a.data);

		if (a.type != NLMSGERR_ATTR_MSG)
			continue;
		if (len > sizeof(e->text) - 1)
			a.data.end = a.data.at + sizeof(e->text) - 1;
		nl_attr_str(&a, e->text, sizeof(e->text));
	}
}

bool nl_error_read(const struct nl_msg *msg, struct nl_error *ret)
{
	struct nl_error e = {0};
	struct reader r = msg->body;
	uint32_t original;

	e.error = (int)read_host32(&r);
	if (r.bad || e.error > 0 || e.error < -NL_ERRNO_MAX)
		return false;
	if (msg->type == NLMSG_ERROR) {
		/* The request's header follows, and all of the request unless it was capped. */
		original = read_host32(&r);
		read_bytes(&r, NL_HEADER_BYTES - 4);
		if (e.error && !(msg->flags & NLM_F_CAPPED) && original > NL_HEADER_BYTES) {
			read_bytes(&r, original - NL_HEADER_BYTES);
			skip_pad(&r, original);
		}
		if (r.bad)
			return false;
	}
	if (msg->flags & NLM_F_ACK_TLVS)
		read_text(&r, &e);
	*ret = e;
	return true;
}
