#include "outward/https.h"

#include <time.h>

#include "base/num.h"

bool https_set(CURL *curl, const struct https_options *options)
{
    const char *ca_file = options->ca_file;
    bool is_set =
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_SSLVERSION,
            (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
        curl_easy_setopt(
            curl, CURLOPT_CONNECTTIMEOUT_MS, options->connect_ms) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, options->total_ms) ==
            CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_USERAGENT, options->user_agent) ==
            CURLE_OK;

    return is_set &&
           (ca_file == NULL ||
               (curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file) == CURLE_OK &&
                   curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK));
}

const char *https_field(CURL *curl, const char *name)
{
    struct curl_header *header = NULL;

    if (curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &header) !=
            CURLHE_OK ||
        header->amount != 1)
        return "";
    return header->value;
}

/* Seconds until then; 0 if it has passed. */
static uint64_t seconds_until(time_t date)
{
    time_t now = time(NULL);

    return date > now ? (uint64_t)(date - now) : 0;
}

int64_t https_retry_after(CURL *curl, int64_t max_s)
{
    const char *text = https_field(curl, "Retry-After");
    uint64_t seconds = 0;

    if (text[0] == '\0')
        return -1;
    if (!num_parse_u64(span_str(text), UINT32_MAX, &seconds)) {
        time_t date = curl_getdate(text, NULL);

        if (date == (time_t)-1)
            return -1;
        seconds = seconds_until(date);
    }
    return seconds > (uint64_t)max_s ? max_s : (int64_t)seconds;
}
