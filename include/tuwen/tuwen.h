/* tuwen: Chinese-CLIP image and text embeddings. The C interface, and all that libtuwen.so exports. */
#ifndef TUWEN_H
#define TUWEN_H

#include "tuwen/version.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TUWEN_API __attribute__((visibility("default")))

/* The version of the loaded library, such as "0.1.0". The string lives as long as the process. */
TUWEN_API const char* tuwen_version(void);

#ifdef __cplusplus
}
#endif

#endif
