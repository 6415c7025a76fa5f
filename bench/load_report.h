/* load_report: a run as one JSON object on a line. */
#pragma once

#include <stdio.h>

#include "bench/load_run.h"

NONNULL void load_report_write(const struct load_run *run, FILE *out);
