// Devices as a user asks about them.
#pragma once

#include <string>

namespace firesteel {

/// "none: this libtorch is built for CPUs; …" or the CUDA devices.
std::string device_summary();

}  // namespace firesteel
