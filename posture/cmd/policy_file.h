/*
 * policy_file: settings from an INI file, see settings.h.
 *
 *     [policy]
 *     production = yes
 *     allow-capability = CAP_NET_BIND_SERVICE
 *     waive = confinement:2026-12-31:the guest is isolated by its hypervisor
 *
 * A setting that may be given several times takes several lines.  Unknown
 * keys and sections, keys given twice and impossible values are errors that
 * name the line and the key.
 */
#pragma once

#include "posture/cmd/settings.h"

/* 0, or an exit code: the file is unreadable or wrong, and what is wrong was
 * written to stderr, one line each. */
NONNULL int policy_file_read(const char *path, struct settings *settings);
