/* SPDX-License-Identifier: MIT */
/*
 * A dialogue of commands and answers in lines, as SMTP, FTP, POP3, IMAP, Redis and memcached hold it. The
 * options become a list of exchanges: a command (none before a greeting) and the kind of answer it wants.
 * The protocol judges each line; the rest is the same for all and stands here.
 */
#ifndef LIBHEALTH_COMMANDS_H
#define LIBHEALTH_COMMANDS_H

#include "line.h"
#include "reply.h"

#define COMMANDS_MAX 8
#define COMMANDS_BYTES_MAX 3072
#define COMMANDS_LINE_MAX 1024 /* bytes of a line of an answer */
#define COMMANDS_LINES_MAX 100 /* lines of an answer */
#define COMMANDS_WORD_MAX 255  /* characters of a name, a password or a path */

struct command {
	uint16_t at, len; /* in `bytes` */
	uint8_t kind;	  /* the protocol's own: what is asked */
	bool then_tls;	  /* a good answer begins TLS; never the last command */
};

/* Holds passwords: teardown wipes it. */
struct commands {
	size_t n;
	struct command list[COMMANDS_MAX];
	struct command farewell; /* sent with the verdict */
	size_t used;
	bool full;
	uint8_t bytes[COMMANDS_BYTES_MAX];
};

struct commands_state {
	uint8_t at;	 /* the exchange whose answer is awaited */
	uint8_t lines;	 /* of this answer so far */
	uint16_t status; /* of this answer, if the protocol has numbers */
	bool has_more;	 /* the protocol's own: this answer has further lines */
};

enum verdict_of_line {
	LINE_FURTHER, /* the answer has more lines */
	LINE_YES,     /* the answer is whole, and good */
	LINE_NO,      /* the server refuses */
	LINE_ALIEN,   /* not this protocol */
};

/* Judges one line of the answer to a command of `kind`. A judge that raises s->at skips commands. */
typedef enum verdict_of_line (*commands_judge)(struct commands_state *s, uint8_t kind,
					       const void *config, struct reader line);

/* Adds an exchange; the command is the strings up to the NULL, put together. */
void commands_add(struct commands *c, unsigned int kind, ...) __attribute__((sentinel));
/* STARTTLS: the command added last. Another one must follow. */
void commands_then_tls(struct commands *c);
/* What is said when all went well. */
void commands_farewell(struct commands *c, const char *text);

/* Of printable ASCII and at most COMMANDS_WORD_MAX characters; `blanks`: spaces are allowed. NULL is not. */
bool commands_word(const char *s, bool blanks);

/* Says the command whose turn it is: the first, or the one behind STARTTLS. */
enum health_step commands_open(const struct commands_state *s, const struct commands *c,
			       struct health_probe_io *io);
enum health_step commands_received(struct commands_state *s, const struct commands *c,
				   const void *config, commands_judge judge, const void *data,
				   size_t len, struct health_probe_io *io);

/* True when the line begins with `text`, which is then taken. */
bool commands_take(struct reader *line, const char *text);

#endif
