// Java's StrictMath, whose last digits are not the C library's.
#pragma once

namespace firesteel {

/// The natural logarithm of a number above zero, as StrictMath.log gives it to the last bit.
double java_log(double x);

}  // namespace firesteel
