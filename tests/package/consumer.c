/* A C11 program that knows the installed headers only. */
#include <stdio.h>
#include <string.h>
#include <tuwen/tuwen.h>

int main(void) {
  if (strcmp(tuwen_version(), TUWEN_VERSION_STRING) != 0) {
    fprintf(stderr, "header %s, library %s\n", TUWEN_VERSION_STRING, tuwen_version());
    return 1;
  }
  puts(tuwen_version());
  return 0;
}
