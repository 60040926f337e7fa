/* SPDX-License-Identifier: MIT */
/*
 * The one way to read and write wire bytes. A cursor never leaves its buffer: the first access past the
 * end makes it bad, and from then on reads give 0 and writes do nothing, so a decoder reads a whole
 * header and asks once. Numbers are in network order unless the name says le or host.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct reader {
	const uint8_t *at, *end;
	bool bad;
};

static inline struct reader reader_of(const void *data, size_t len)
{
	const uint8_t *p = data;

	return (struct reader){.at = p, .end = len ? p + len : p};
}

static inline size_t reader_left(const struct reader *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->at);
}

/* Takes `len` bytes: where they start, or NULL (and the reader is bad) when there are fewer. */
static inline const uint8_t *read_bytes(struct reader *r, size_t len)
{
	const uint8_t *p = r->at;

	if (r->bad || len > (size_t)(r->end - r->at)) {
		r->bad = true;
		return NULL;
	}
	if (len)
		r->at += len;
	return p;
}

/* Copies `len` bytes out; zeroes `dst` when there are fewer. */
static inline void read_copy(struct reader *r, void *dst, size_t len)
{
	const uint8_t *p = read_bytes(r, len);

	if (!len)
		return;
	if (p)
		memcpy(dst, p, len);
	else
		memset(dst, 0, len);
}

static inline uint8_t read_u8(struct reader *r)
{
	const uint8_t *p = read_bytes(r, 1);

	return p ? p[0] : 0;
}

static inline uint16_t read_be16(struct reader *r)
{
	const uint8_t *p = read_bytes(r, 2);

	return p ? (uint16_t)((uint32_t)p[0] << 8 | p[1]) : 0;
}

static inline uint32_t read_be32(struct reader *r)
{
	const uint8_t *p = read_bytes(r, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

static inline uint64_t read_be64(struct reader *r)
{
	uint64_t high = read_be32(r);

	return high << 32 | read_be32(r);
}

/* Host order, for netlink. */
static inline uint16_t read_host16(struct reader *r)
{
	uint16_t v;

	read_copy(r, &v, sizeof(v));
	return v;
}

static inline uint32_t read_host32(struct reader *r)
{
	uint32_t v;

	read_copy(r, &v, sizeof(v));
	return v;
}

static inline uint64_t read_host64(struct reader *r)
{
	uint64_t v;

	read_copy(r, &v, sizeof(v));
	return v;
}

/* A reader over the next `len` bytes, which `r` skips. Bad when there are fewer. */
static inline struct reader read_part(struct reader *r, size_t len)
{
	const uint8_t *p = read_bytes(r, len);

	if (!p)
		return (struct reader){.bad = true};
	return reader_of(p, len);
}

struct writer {
	uint8_t *start, *at, *end;
	bool bad;
};

static inline struct writer writer_of(void *buf, size_t cap)
{
	uint8_t *p = buf;

	return (struct writer){.start = p, .at = p, .end = cap ? p + cap : p};
}

static inline size_t writer_len(const struct writer *w)
{
	return (size_t)(w->at - w->start);
}

/* Room for `len` bytes: where to put them, or NULL (and the writer is bad) when there is none. */
static inline uint8_t *write_room(struct writer *w, size_t len)
{
	uint8_t *p = w->at;

	if (w->bad || len > (size_t)(w->end - w->at)) {
		w->bad = true;
		return NULL;
	}
	if (len)
		w->at += len;
	return p;
}

static inline void write_bytes(struct writer *w, const void *src, size_t len)
{
	uint8_t *p = write_room(w, len);

	if (p && len)
		memcpy(p, src, len);
}

static inline void write_zero(struct writer *w, size_t len)
{
	uint8_t *p = write_room(w, len);

	if (p && len)
		memset(p, 0, len);
}

static inline void write_u8(struct writer *w, uint8_t v)
{
	write_bytes(w, &v, 1);
}

static inline void write_be16(struct writer *w, uint16_t v)
{
	const uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	write_bytes(w, b, sizeof(b));
}

static inline void write_be32(struct writer *w, uint32_t v)
{
	const uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
			      (uint8_t)v};

	write_bytes(w, b, sizeof(b));
}

static inline void write_be64(struct writer *w, uint64_t v)
{
	write_be32(w, (uint32_t)(v >> 32));
	write_be32(w, (uint32_t)v);
}

static inline void write_host16(struct writer *w, uint16_t v)
{
	write_bytes(w, &v, sizeof(v));
}

static inline void write_host32(struct writer *w, uint32_t v)
{
	write_bytes(w, &v, sizeof(v));
}

static inline void write_host64(struct writer *w, uint64_t v)
{
	write_bytes(w, &v, sizeof(v));
}

#endif
