#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tuwen/tuwen.h>

#define CHECK(call) \
  if ((call) != TUWEN_OK) return fprintf(stderr, "%s\n", tuwen_last_error()->message), 1

int main(int argc, char** argv) { /* MODEL IMAGE TEXT */
  if (argc != 4) return 2;
  tuwen_model* model;
  tuwen_session* session;
  tuwen_image* image;
  CHECK(tuwen_model_load(argv[1], NULL, &model));
  CHECK(tuwen_session_create(model, NULL, &session));
  CHECK(tuwen_image_read(argv[2], NULL, &image));

  tuwen_model_info info = {.struct_size = sizeof info};
  CHECK(tuwen_model_get_info(model, &info));
  const size_t width = (size_t)info.embedding_size;
  float* picture = malloc(2 * width * sizeof(float));
  float* sentence = picture + width;
  float logit;

  const tuwen_text text = {argv[3], strlen(argv[3])};
  CHECK(tuwen_encode_images(session, (const tuwen_image* const*)&image, 1, NULL, picture));
  CHECK(tuwen_encode_texts(session, &text, 1, NULL, sentence));
  CHECK(tuwen_logits(session, picture, 1, sentence, 1, &logit, NULL));
  printf("%s: %.4f\n", argv[3], logit);

  free(picture);
  tuwen_image_free(image);
  tuwen_session_free(session);
  tuwen_model_free(model);
  return 0;
}
