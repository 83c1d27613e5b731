// Numbers as people read them.
#pragma once

#include <string>

namespace firesteel {

/// "52 s", "3 min 20 s", "2 h 05 min".
std::string duration_text(double seconds);
/// "950", "12.3k", "1.20M".
std::string count_text(double count);

}  // namespace firesteel
