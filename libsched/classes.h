/* SPDX-License-Identifier: MIT */
/*
 * Members sorted by weight. To a rotation those of one weight are alike but for the turn they are in: they stand in
 * a queue (queue.h), and a pick need only compare the heads. The table of such algorithms begins with this.
 */
#ifndef LIBSCHED_CLASSES_H
#define LIBSCHED_CLASSES_H

#include "libsched/snapshot.h"

struct classes {
	uint32_t n;
	uint32_t *weight; /* of each class, ascending; into what follows */
	uint32_t *of;	  /* the class of each place; for weight 0 n */
};

size_t classes_size(const struct lb_snapshot *s);
/* `room`: classes_size() less the struct; of what goes there `of` is the last, s->n long. */
void classes_build_in(const struct lb_snapshot *s, struct classes *c, uint32_t *room);
void classes_build(const struct lb_snapshot *s, struct classes *c);

#endif
