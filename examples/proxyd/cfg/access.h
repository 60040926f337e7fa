/* SPDX-License-Identifier: MIT */
/* Who may open a unix socket: "mode", "user", "group", "uid" and "gid" of bind, "stats socket" and unix-bind. */
#ifndef PROXYD_CFG_ACCESS_H
#define PROXYD_CFG_ACCESS_H

#include "cfg/read.h"

#define CFG_ACCESS_DEFAULT {.mode = -1, .uid = -1, .gid = -1}

/* `word` is one of them. */
bool access_word(const char *word);

/* Takes the value of `word`, which is at `i`. False: told. */
bool access_read(struct reader *r, size_t i, const char *word, struct cfg_access *access);

#endif
