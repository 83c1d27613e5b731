// Text of floating-point numbers as Java writes it, which is how Spark shows them.
#pragma once

#include <string>

namespace firesteel {

/// Java's Double.toString: shortest digits; plain from 10^-3 to 10^7, else d.dddE±n.
std::string java_text(double value);
/// Java's Float.toString.
std::string java_text(float value);

}  // namespace firesteel
