/* SPDX-License-Identifier: MIT */
/* Simulated seconds per second: three routers, one second between adverts, every invariant held (tests/sim). */
#include "world.h"

int main(void)
{
	return sim_bench();
}
