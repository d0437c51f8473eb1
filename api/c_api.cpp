#include "tuwen/tuwen.h"

const char* tuwen_version(void) { return TUWEN_VERSION_STRING; }
