// tuwen: Chinese-CLIP image and text embeddings. Inline C++20 over the C interface of tuwen.h.
#pragma once

#include "tuwen/tuwen.h"
