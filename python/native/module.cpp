// tuwen._native: the C interface for Python, as thin as it goes. The package around it says what the classes are for.
#include "python/native/common.h"

NB_MODULE(_native, module) {
  using namespace tuwen::python;
  module.doc() = "The native part of tuwen.";
  module.attr("__version__") = tuwen_version();
  register_errors(module);
  bind_images(module);
  bind_processor(module);
  bind_session(module);
  bind_checkpoint(module);
  bind_forward(module);
}
