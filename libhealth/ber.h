/* SPDX-License-Identifier: MIT */
/* As much of ASN.1's basic encoding as LDAP and SNMP need: definite lengths, one byte of tag (X.690 §8.1). */
#ifndef LIBHEALTH_BER_H
#define LIBHEALTH_BER_H

#include "base/cursor.h"

#define BER_INTEGER 0x02
#define BER_OCTETS 0x04
#define BER_NULL 0x05
#define BER_OID 0x06
#define BER_ENUM 0x0a
#define BER_SEQUENCE 0x30

/* The head of a value: its tag and the length of what follows. Bad: not whole, or longer than 32 bits. */
static inline uint8_t ber_read_head(struct reader *r, uint32_t *ret_len)
{
	uint8_t tag = read_u8(r), first = read_u8(r);
	uint32_t len = 0;

	if (first < 0x80) {
		*ret_len = first;
		return tag;
	}
	first &= 0x7f;
	if (!first || first > 4)
		r->bad = true;
	for (; first && !r->bad; first--)
		len = len << 8 | read_u8(r);
	*ret_len = len;
	return tag;
}

/* The next value, which must have this tag. */
static inline struct reader ber_read(struct reader *r, uint8_t tag)
{
	uint32_t len;

	if (ber_read_head(r, &len) != tag)
		r->bad = true;
	return read_part(r, len);
}

/* A number of at most four bytes, taken as unsigned. */
static inline uint32_t ber_read_number(struct reader *r, uint8_t tag)
{
	struct reader value = ber_read(r, tag);
	uint32_t n = 0;

	if (!reader_left(&value) || reader_left(&value) > 5)
		r->bad = true;
	while (reader_left(&value))
		n = n << 8 | read_u8(&value);
	return r->bad ? 0 : n;
}

/*
 * Whether the whole of the value that begins here has come. 1: it has, and `ret` is its inside, `r` stands
 * behind it; 0: not yet; -1: it has another tag, or is longer than `max`.
 */
static inline int ber_take(struct reader *r, uint8_t tag, size_t max, struct reader *ret)
{
	struct reader head = *r;
	uint32_t len;

	if (reader_left(r) && *r->at != tag)
		return -1;
	if (reader_left(r) > 1 && (r->at[1] == 0x80 || r->at[1] > 0x84))
		return -1;
	ber_read_head(&head, &len);
	if (head.bad)
		return 0;
	if (len > max)
		return -1;
	*ret = read_part(&head, len);
	if (head.bad)
		return 0;
	*r = head;
	return 1;
}

/* Begins a value whose length is not known yet; ber_end fills it in. */
static inline uint8_t *ber_begin(struct writer *w, uint8_t tag)
{
	uint8_t *at;

	write_u8(w, tag);
	at = write_room(w, 3);
	if (at)
		at[0] =
		    0x82; /* the long form, though short: X.690 §8.1.3.5 leaves it to the sender */
	return at;
}

static inline void ber_end(struct writer *w, uint8_t *at)
{
	size_t len;

	if (!at || w->bad)
		return;
	len = (size_t)(w->at - at) - 3;
	at[1] = (uint8_t)(len >> 8);
	at[2] = (uint8_t)len;
}

/* A value of less than 64 KiB. */
static inline void ber_write(struct writer *w, uint8_t tag, const void *data, size_t len)
{
	write_u8(w, tag);
	if (len < 0x80) {
		write_u8(w, (uint8_t)len);
	} else {
		write_u8(w, 0x82);
		write_be16(w, (uint16_t)len);
	}
	write_bytes(w, data, len);
}

/* A number from 0 to 127. */
static inline void ber_write_small(struct writer *w, uint8_t tag, uint8_t n)
{
	ber_write(w, tag, &n, 1);
}

#endif
