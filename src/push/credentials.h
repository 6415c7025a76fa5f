/*
 * credentials: a Google service-account key as its JSON document.
 *
 * Nothing of the document ever reaches a message.
 */
#pragma once

#include "base/attr.h"

/* The reason. */
#define CREDENTIALS_REFUSED "not a service-account JSON key"

/*
 * NULL if the document is a usable service-account key: a JSON object, type
 * service_account, a client_email, and an RSA private key (PKCS#8 or PKCS#1,
 * PEM armour optional); else the reason, a constant.
 */
NONNULL const char *credentials_check(const char *document);
