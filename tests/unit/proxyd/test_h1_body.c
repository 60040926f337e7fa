/* SPDX-License-Identifier: MIT */
/* Bodies: chunks and lengths, in pieces of any size. */
#include "h1_rig.h"

static const struct http_msg chunked = {.framing = HTTP_BODY_CHUNKED};

static const struct refused chunks[] = {
    {TEXT("5\r\nhello\r\n0\r\n\r\n"), H1_FAULT_NONE},
    {TEXT("5;a=b;c=\"d\"\r\nhello\r\n0\r\n\r\n"), H1_FAULT_NONE},
    {TEXT("05\r\nhello\r\n00\r\nX: y\r\nZ:\r\n\r\n"), H1_FAULT_NONE},
    {TEXT("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"), H1_FAULT_NONE},
    {TEXT("\r\n5\r\nhello"), H1_FAULT_CHUNK_SIZE},
    {TEXT("g\r\n"), H1_FAULT_CHUNK_SIZE},
    {TEXT("+5\r\nhello"), H1_FAULT_CHUNK_SIZE},
    {TEXT("-5\r\nhello"), H1_FAULT_CHUNK_SIZE},
    {TEXT("0x5\r\nhello"), H1_FAULT_CHUNK_SIZE},
    {TEXT(" 5\r\nhello"), H1_FAULT_CHUNK_SIZE},
    {TEXT("5 \r\nhello"), H1_FAULT_CHUNK_SIZE},
    {TEXT("5\nhello"), H1_FAULT_CHUNK_SIZE},
    {TEXT("5\r\rhello"), H1_FAULT_CHUNK_SIZE},
    {TEXT("ffffffffffffffff\r\n"), H1_FAULT_CHUNK_SIZE},
    {TEXT("00000000000000005\r\n"), H1_FAULT_CHUNK_SIZE},
    {TEXT("5;a\nb\r\nhello"), H1_FAULT_CHUNK_EXTENSION},
    {TEXT("5;\0\r\nhello"), H1_FAULT_CHUNK_EXTENSION},
    {TEXT("5\r\nhelloX\r\n"), H1_FAULT_CHUNK_END},
    {TEXT("5\r\nhello\n"), H1_FAULT_CHUNK_END},
    {TEXT("5\r\nhello\r0"), H1_FAULT_CHUNK_END},
    {TEXT("0\r\n: a\r\n\r\n"), H1_FAULT_TRAILER},
    {TEXT("0\r\n X: a\r\n\r\n"), H1_FAULT_TRAILER},
    {TEXT("0\r\nX : a\r\n\r\n"), H1_FAULT_TRAILER},
    {TEXT("0\r\nX: a\n\r\n"), H1_FAULT_TRAILER},
    {TEXT("0\r\nX: a\0\r\n\r\n"), H1_FAULT_TRAILER},
    {TEXT("0\r\n\n"), H1_FAULT_TRAILER},
    {TEXT("0\r\nContent-Length: 1\r\n\r\n"), H1_FAULT_TRAILER},
    {TEXT("0\r\ntransfer-encoding: chunked\r\n\r\n"), H1_FAULT_TRAILER},
    {TEXT("0\r\nHost: b\r\n\r\n"), H1_FAULT_TRAILER},
};

/* Whole, and in two pieces split at every byte. */
static void decodes_chunks_in_any_pieces(void **state)
{
	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++)
		for (size_t split = 0; split <= chunks[i].len; split++) {
			struct h1_body b;
			size_t n;

			h1_body_begin(&b, &chunked);
			n = h1_body_feed(&b, chunks[i].text, split, NULL);
			if (n == split)
				n += h1_body_feed(&b, chunks[i].text + n, chunks[i].len - n, NULL);
			if (b.fault != chunks[i].fault || b.done != !chunks[i].fault)
				fail_msg("chunks %zu split at %zu: %s", i, split,
					 h1_fault_text(b.fault));
			if (b.done)
				assert_int_equal(n, chunks[i].len);
		}
}

/* Of a server, as old ones fill the line up; of a client it is refused, above. */
static void takes_blanks_of_answers(void **state)
{
	static const struct refused answers[] = {
	    {TEXT("5 \r\nhello\r\n0\t \r\n\r\n"), H1_FAULT_NONE},
	    {TEXT("5 ;a=b\r\nhello\r\n0\r\n\r\n"), H1_FAULT_NONE},
	    {TEXT("5 5\r\nhello"), H1_FAULT_CHUNK_SIZE},
	    {TEXT(" 5\r\nhello"), H1_FAULT_CHUNK_SIZE},
	    {TEXT("5 \nhello"), H1_FAULT_CHUNK_SIZE},
	};
	const struct http_msg answer = {.framing = HTTP_BODY_CHUNKED, .is_response = true};
	char many[H1_EXTENSION_MAX + 2] = "5";
	struct h1_body b;

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		h1_body_begin(&b, &answer);
		h1_body_feed(&b, answers[i].text, answers[i].len, NULL);
		if (b.fault != answers[i].fault || b.done != !answers[i].fault)
			fail_msg("answer %zu: %s", i, h1_fault_text(b.fault));
	}
	memset(many + 1, ' ', sizeof(many) - 1);
	h1_body_begin(&b, &answer);
	h1_body_feed(&b, many, sizeof(many), NULL);
	assert_int_equal(b.fault, H1_FAULT_CHUNK_EXTENSION);
}

static void tells_payload_from_framing(void **state)
{
	static const char text[] = "3;x\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\nnext";
	struct h1_body b;
	char out[16];
	size_t at = 0, len = 0;

	h1_body_begin(&b, &chunked);
	while (!b.done && at < sizeof(text) - 1) {
		struct http_span piece;
		size_t n = h1_body_feed(&b, text + at, sizeof(text) - 1 - at, &piece);

		memcpy(out + len, text + at + piece.at, piece.len);
		len += piece.len;
		at += n;
		assert_int_equal(b.fault, 0);
	}
	assert_int_equal(len, 5);
	assert_memory_equal(out, "abcde", 5);
	assert_string_equal(text + at, "next");
}

static void bounds_extensions_and_trailers(void **state)
{
	char text[16384];
	struct h1_body b;

	memset(text, 'a', sizeof(text));
	text[1] = ';';
	h1_body_begin(&b, &chunked);
	h1_body_feed(&b, text, sizeof(text), NULL);
	assert_int_equal(b.fault, H1_FAULT_CHUNK_EXTENSION);
	memcpy(text, "0\r\nX:", 5);
	h1_body_begin(&b, &chunked);
	h1_body_feed(&b, text, sizeof(text), NULL);
	assert_int_equal(b.fault, H1_FAULT_TRAILER);
	for (size_t at = 3; at + 4 <= sizeof(text); at += 4)
		memcpy(text + at, "X:\r\n", 4);
	h1_body_begin(&b, &chunked);
	h1_body_feed(&b, text, sizeof(text), NULL);
	assert_int_equal(b.fault, H1_FAULT_TRAILER);
}

static void counts_lengths(void **state)
{
	struct http_msg m = {.framing = HTTP_BODY_LENGTH, .length = 5};
	struct h1_body b;

	h1_body_begin(&b, &m);
	assert_int_equal(h1_body_feed(&b, "abc", 3, NULL), 3);
	assert_false(b.done);
	assert_false(h1_body_ended(&b));
	assert_int_equal(h1_body_feed(&b, "defg", 4, NULL), 2);
	assert_true(b.done);
	assert_int_equal(h1_body_feed(&b, "x", 1, NULL), 0);
	m.framing = HTTP_BODY_CLOSE;
	h1_body_begin(&b, &m);
	assert_int_equal(h1_body_feed(&b, "abc", 3, NULL), 3);
	assert_false(b.done);
	assert_true(h1_body_ended(&b));
}

/* As if it had been fed. */
static void skips_what_needs_no_look(void **state)
{
	struct http_msg m = {.framing = HTTP_BODY_LENGTH, .length = 5};
	struct h1_body b;

	h1_body_begin(&b, &m);
	assert_int_equal(h1_body_ahead(&b), 5);
	h1_body_skip(&b, 3);
	assert_int_equal(h1_body_ahead(&b), 2);
	h1_body_skip(&b, 2);
	assert_true(b.done);
	assert_int_equal(h1_body_ahead(&b), 0);
	h1_body_begin(&b, &chunked);
	assert_int_equal(h1_body_ahead(&b), 0);
	assert_int_equal(h1_body_feed(&b, TEXT("5;x\r\na"), NULL), 6);
	assert_int_equal(h1_body_ahead(&b), 4);
	h1_body_skip(&b, 4);
	assert_int_equal(h1_body_ahead(&b), 0);
	assert_int_equal(h1_body_feed(&b, TEXT("\r\n0\r\n\r\n"), NULL), 7);
	assert_true(b.done);
	m.framing = HTTP_BODY_CLOSE;
	h1_body_begin(&b, &m);
	h1_body_skip(&b, 1 << 20);
	assert_true(h1_body_ahead(&b) == UINT64_MAX && !b.done);
	m.framing = HTTP_BODY_NONE;
	h1_body_begin(&b, &m);
	assert_int_equal(h1_body_ahead(&b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decodes_chunks_in_any_pieces),
	    cmocka_unit_test(takes_blanks_of_answers),
	    cmocka_unit_test(tells_payload_from_framing),
	    cmocka_unit_test(bounds_extensions_and_trailers),
	    cmocka_unit_test(counts_lengths),
	    cmocka_unit_test(skips_what_needs_no_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
