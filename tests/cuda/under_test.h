// What the cases of this folder run on: the CUDA kernels on the host shim (shim.cpp, in test_cuda), or a card
// (card/card.cpp, in test_gpu). The cases are the same.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "kernels/device.h"

namespace tw::test {

// For sessions. On the shim its memory and streams are a fake driver's.
Device device_under_test();

// The same where kernels begin before those in front of them have ended; no device where they cannot.
Device early_device_under_test();

// Whether it runs code for sm_90a.
bool has_sm90();

// The device whose memory single operations need copies in; none where kernels read the host's memory where it lies.
DeviceHandle memory_under_test();
// Whether these operations' kernels begin early.
bool early_under_test();

// Runs something once in each order that the shim can run a block's threads in: without a race it is the same each
// time. On a card once: the order is the card's.
void in_every_order(const std::function<void()>& body);

// How often lanes had to wait for each other's banks so far; a card does not say: 0.
uint64_t bank_conflicts();

// What a check measured as a share of what is permitted, for whoever collects results of a card.
void report(const std::string& what, double share);

}  // namespace tw::test
