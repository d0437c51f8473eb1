// Runs something once in each order that the shim can run a block's threads in: without a race it is the same each
// time.
#pragma once

#include "kernels/cuda/host_shim/block.h"

namespace tw::test {

template <class Body>
void in_every_order(Body body) {
#ifdef __SANITIZE_ADDRESS__
  shim::set_settings({shim::Order::shuffled, 7});
  body();
#else
  for (const shim::Settings& s : {shim::Settings{shim::Order::forward}, shim::Settings{shim::Order::reverse},
                                  shim::Settings{shim::Order::shuffled, 7}}) {
    shim::set_settings(s);
    body();
  }
#endif
  shim::set_settings({});
}

}  // namespace tw::test
