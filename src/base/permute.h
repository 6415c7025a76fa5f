/*
 * permute: a keyed bijection of 32-bit numbers.
 *
 * A counter sent through it gives numbers that do not repeat before the
 * counter does, and of which one tells nothing about the next to who does not
 * know the key.  A Feistel network (Luby and Rackoff, 1988) over SipHash.
 */
#pragma once

#include "base/siphash.h"

uint32_t permute_u32(struct siphash_key key, uint32_t number);
