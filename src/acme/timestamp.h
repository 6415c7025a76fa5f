/* timestamp: times as texts, RFC 3339 (ACME documents, RFC 9773). */
#pragma once

#include "base/attr.h"
#include "base/span.h"

/*
 * "2026-01-02T03:04:05Z", with a fraction (dropped) or an offset "+01:00".
 * Unix seconds to *ret on success only.
 */
MUST_CHECK NONNULL bool timestamp_parse(struct span text, int64_t *ret);
