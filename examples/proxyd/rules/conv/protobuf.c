/* SPDX-License-Identifier: MIT */
/*
 * Fields of Protocol Buffers (developers.google.com/protocol-buffers/docs/encoding), and of those that gRPC has in
 * its messages: "protobuf(48.59.1,int32)".
 */
#include <stdlib.h>
#include <string.h>

#include "rules/bytes.h"
#include "rules/expr.h"

#define DEPTH_MAX 16
#define FIELD_MAX 536870911 /* 2^29 - 1 */

enum wire {
	WIRE_VARINT = 0,
	WIRE_64 = 1,
	WIRE_BYTES = 2,
	WIRE_32 = 5,
};

enum kind {
	KIND_SIGNED,   /* two's complement */
	KIND_UNSIGNED,
	KIND_ZIGZAG,
	KIND_FLOAT,
};

static const struct pb_type {
	const char *name;
	enum wire wire;
	enum kind kind;
	unsigned bits;
} types[] = {
    {"bool", WIRE_VARINT, KIND_UNSIGNED, 64},   {"double", WIRE_64, KIND_FLOAT, 64},
    {"enum", WIRE_VARINT, KIND_SIGNED, 64},     {"fixed32", WIRE_32, KIND_UNSIGNED, 32},
    {"fixed64", WIRE_64, KIND_UNSIGNED, 64},    {"float", WIRE_32, KIND_FLOAT, 32},
    {"int32", WIRE_VARINT, KIND_SIGNED, 32},    {"int64", WIRE_VARINT, KIND_SIGNED, 64},
    {"sfixed32", WIRE_32, KIND_SIGNED, 32},     {"sfixed64", WIRE_64, KIND_SIGNED, 64},
    {"sint32", WIRE_VARINT, KIND_ZIGZAG, 32},   {"sint64", WIRE_VARINT, KIND_ZIGZAG, 64},
    {"uint32", WIRE_VARINT, KIND_UNSIGNED, 32}, {"uint64", WIRE_VARINT, KIND_UNSIGNED, 64},
};

struct path {
	unsigned n;
	uint32_t field[DEPTH_MAX];
};

/* Ten bytes at most. */
static bool read_varint(struct input *in, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		const uint8_t *p = take_bytes(in, 1);

		if (!p)
			return false;
		value |= (uint64_t)(*p & 0x7f) << (shift < 63 ? shift : 63);
		if (!(*p & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static uint64_t little_endian(struct input in)
{
	uint64_t value = 0;

	for (size_t i = input_left(&in); i-- > 0;)
		value = value << 8 | in.at[i];
	return value;
}

/* One field: its number, how it is written, and its bytes, or `value` for WIRE_VARINT. */
static bool read_field(struct input *in, uint32_t *ret_field, enum wire *ret_wire, struct input *ret, uint64_t *ret_value)
{
	uint64_t key, len;

	if (!read_varint(in, &key) || key >> 3 > FIELD_MAX)
		return false;
	*ret_field = (uint32_t)(key >> 3);
	*ret_wire = (enum wire)(key & 7);
	switch (*ret_wire) {
	case WIRE_VARINT:
		ret->at = in->at;
		if (!read_varint(in, ret_value))
			return false;
		ret->end = in->at;
		return true;
	case WIRE_64:
		*ret = take_part(in, 8);
		return !in->is_short;
	case WIRE_32:
		*ret = take_part(in, 4);
		return !in->is_short;
	case WIRE_BYTES:
		if (!read_varint(in, &len) || len > SIZE_MAX)
			return false;
		*ret = take_part(in, (size_t)len);
		return !in->is_short;
	}
	return false; /* groups, deprecated, are not read */
}

static int64_t as_number(const struct pb_type *type, struct input bytes, uint64_t value)
{
	union {
		uint64_t bits;
		double number;
	} d = {0};
	union {
		uint32_t bits;
		float number;
	} f;
	double real;

	if (type->wire != WIRE_VARINT)
		value = little_endian(bytes);
	switch (type->kind) {
	case KIND_ZIGZAG:
		return (int64_t)(value >> 1 ^ -(value & 1));
	case KIND_SIGNED:
		return type->bits == 32 ? (int32_t)value : (int64_t)value;
	case KIND_UNSIGNED:
		return (int64_t)value;
	case KIND_FLOAT:
		break;
	}
	f.bits = (uint32_t)value;
	d.bits = value;
	real = type->bits == 32 ? (double)f.number : d.number;
	if (!(real > -9.2e18 && real < 9.2e18)) /* neither does NaN fit */
		return 0;
	return (int64_t)real;
}

/* The first field of the path; a message in a message is entered by its name. */
static bool find(struct input in, const struct path *path, const struct pb_type *type, struct sample *ret)
{
	unsigned depth = 0;
	struct input bytes;
	uint32_t field;
	uint64_t value = 0;
	enum wire wire;

	while (in.at < in.end && read_field(&in, &field, &wire, &bytes, &value)) {
		if (field != path->field[depth])
			continue;
		if (++depth < path->n) {
			if (wire != WIRE_BYTES)
				return false;
			in = bytes;
		} else if (!type) {
			*ret = sample_text(SAMPLE_BIN, (const char *)bytes.at, input_left(&bytes));
			return true;
		} else {
			*ret = sample_int(wire == type->wire ? as_number(type, bytes, value) : 0);
			return wire == type->wire;
		}
	}
	return false;
}

static bool protobuf(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	return find(input_of(s->text), arg[0].object, n_args > 1 ? arg[1].object : NULL, s);
}

/* gRPC's messages: a flag of compression, a length of four bytes, and so much (grpc.io, PROTOCOL-HTTP2) */
static bool ungrpc(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	struct input in = input_of(s->text);

	while (input_left(&in) > 5) {
		bool compressed = take_number(&in, 1);
		struct input message = take_vector(&in, 4);

		if (compressed || in.is_short)
			return false;
		if (find(message, arg[0].object, n_args > 1 ? arg[1].object : NULL, s))
			return true;
	}
	return false;
}

static bool check_path(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	struct path *path = m->alloc(m->owner, sizeof(*path));
	const char *p = arg[0].text.at;

	if (!path)
		return rule_fail(e, "%s", "");
	do {
		char *end;
		unsigned long field = *p >= '0' && *p <= '9' ? strtoul(p, &end, 10) : 0;

		if (!field || field > FIELD_MAX || path->n == DEPTH_MAX || (*end && *end != '.'))
			return rule_fail(e, "\"%.60s\" is no field: write its number, or 1.2.3 with at most %d of them", arg[0].text.at,
					 DEPTH_MAX);
		path->field[path->n++] = (uint32_t)field;
		p = end;
	} while (*p++);
	arg[0].object = path;
	if (n < 2)
		return true;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i].name, arg[1].text.at))
			arg[1].object = &types[i];
	return arg[1].object || rule_fail(e, "\"%.30s\" is no type of a field: write int32, sint64, fixed32 and the like; "
					     "strings and bytes have none",
					  arg[1].text.at);
}

const struct conv convs_protobuf[] = {
    {"protobuf", "sS", SAMPLE_BIN, SAMPLE_BIN, protobuf, 0, check_path, false},
    {"ungrpc", "sS", SAMPLE_BIN, SAMPLE_BIN, ungrpc, 0, check_path, false},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};
