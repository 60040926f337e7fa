/* SPDX-License-Identifier: MIT */
/* Answers of vipd as text for people. Colours only on a terminal, and not with NO_COLOR. */
#ifndef LBCTL_PRINT_H
#define LBCTL_PRINT_H

#include <jansson.h>

void print_init(void);
void print_status(const json_t *status);

/* Of a virtual server as "show" tells it: the real servers that are not in use, and why. */
void print_down(const json_t *virtual);
void print_show(const json_t *show);
void print_event(const json_t *event);
void print_sentences(const json_t *list);

#endif
