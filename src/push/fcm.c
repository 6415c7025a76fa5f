#include "push/fcm.h"

#include <jansson.h>

#include "base/json_text.h"

#define ERROR_TYPE "type.googleapis.com/google.firebase.fcm.v1.FcmError"

enum { NAME_MAX_LEN = 64 }; /* bytes of an error's name that we show */

bool fcm_url(const char *endpoint, const char *project, char ret[FCM_URL_MAX])
{
    return text_format(
        ret, FCM_URL_MAX, "%s/v1/projects/%s/messages:send", endpoint, project);
}

bool fcm_body(struct span token, struct text *ret)
{
    text_add_str(ret, "{\"message\":{\"token\":");
    json_text_add(ret, token);
    text_add_str(ret, ",\"android\":{\"priority\":\"HIGH\"}}}");
    return !ret->cut;
}

static void release(json_t **object)
{
    json_decref(*object);
}

#define OWNED_JSON CLEANUP(release) json_t

static json_t *parse(struct span answer)
{
    return json_loadb((const char *)answer.ptr, answer.len, 0, NULL);
}

/* The text if it has so many of those characters only, else "". */
static const char *sane(const json_t *value, size_t max, const char *accepted)
{
    const char *text = json_string_value(value);

    if (text == NULL || strlen(text) > max ||
        text[strspn(text, accepted)] != '\0')
        return "";
    return text;
}

void fcm_message_id(struct span answer, char ret[FCM_ID_MAX + 1])
{
    OWNED_JSON *object = parse(answer);
    struct text t = text_over(ret, FCM_ID_MAX + 1);

    text_add_str(&t, sane(json_object_get(object, "name"), FCM_ID_MAX,
                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "abcdefghijklmnopqrstuvwxyz0123456789/:%_-"));
}

static const char *error_name(const json_t *value)
{
    return sane(value, NAME_MAX_LEN, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
}

/* FCM's own error among the details, or "". */
static const char *error_code(const json_t *error)
{
    const json_t *details = json_object_get(error, "details");

    for (size_t i = 0; i < json_array_size(details); i++) {
        const json_t *detail = json_array_get(details, i);
        const char *type = json_string_value(json_object_get(detail, "@type"));

        if (type != NULL && strcmp(type, ERROR_TYPE) == 0)
            return error_name(json_object_get(detail, "errorCode"));
    }
    return "";
}

enum push_outcome fcm_failure(long status, struct span answer, struct text *ret)
{
    OWNED_JSON *object = parse(answer);
    const json_t *error = json_object_get(object, "error");
    const char *name = error_name(json_object_get(error, "status"));
    const char *code = error_code(error);
    bool has_both = name[0] != '\0' && code[0] != '\0';

    text_addf(ret, "relay: fcm send failed: status %ld", status);
    if (name[0] != '\0' || code[0] != '\0')
        text_addf(ret, " (%s%s%s)", name, has_both ? ", " : "", code);
    return strcmp(code, "UNREGISTERED") == 0 ? PUSH_UNREGISTERED
                                             : PUSH_SEND_FAILED;
}
