// What a program computes on numbers rather than tensors: sizes, and Python's arithmetic on them.
#pragma once

#include <ATen/core/ivalue.h>
#include <c10/util/ArrayRef.h>

#include <string_view>

namespace firesteel {

/// Arguments in order; numbers are int64, double or bool. Throws MODEL_RUN_FAILED, as for a
/// division by zero.
using ScalarFunction = c10::IValue (*)(c10::ArrayRef<c10::IValue> arguments);

/// By a node's target, as `_operator.floordiv`, `math.ceil`, `torch.sym_max` or
/// `torch.ops.aten.sym_size.int`; nullptr for another.
ScalarFunction scalar_function(std::string_view target);

}  // namespace firesteel
