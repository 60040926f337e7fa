/* SPDX-License-Identifier: MIT */
/*
 * Answers made smaller on their way (RFC 9110, section 8.4.1; HAProxy's `compression`): who may have it, and the
 * bytes. A worker's.
 */
#ifndef PROXYD_ENGINE_COMPRESS_H
#define PROXYD_ENGINE_COMPRESS_H

#include "engine/http/http.h"

/* Of a request: which coding its answer may have; with `offload` its server is not asked for one. */
void compress_choose(struct exchange *x, struct http_msg *m);

/* Of an answer: sets x->deflater and changes the head if it is compressed. 0 or -ENOSPC. */
int compress_begin(struct worker *w, struct exchange *x, struct http_msg *m);

/*
 * Gives the client a piece of the body (without the framing of the server), and its end when x->down is done. False: no
 * memory for what the client does not take.
 */
bool compress_give(struct worker *w, struct exchange *x, const char *data, size_t len);

const char *coding_name(enum cfg_encoding e);

void deflater_free(struct deflater *d);

#endif
