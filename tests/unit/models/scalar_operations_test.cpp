// Python's arithmetic on sizes, by values that Python gives.
#include "models/scalar_operations.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "base/error.h"

namespace firesteel {
namespace {

using c10::IValue;

IValue call(const char* target, const std::vector<IValue>& arguments) {
  const auto function = scalar_function(target);
  EXPECT_NE(function, nullptr) << target;
  return function ? function(arguments) : IValue();
}

TEST(ScalarOperations, RoundTowardsMinusInfinity) {
  for (const auto& [a, b, quotient, remainder] :
       std::vector<std::array<int64_t, 4>>{{7, 2, 3, 1},
                                           {-7, 2, -4, 1},
                                           {7, -2, -4, -1},
                                           {-7, -2, 3, -1},
                                           {6, 3, 2, 0},
                                           {5, -1, -5, 0}}) {
    EXPECT_EQ(call("_operator.floordiv", {a, b}).toInt(), quotient);
    EXPECT_EQ(call("_operator.mod", {a, b}).toInt(), remainder);
  }
  EXPECT_EQ(call("_operator.floordiv", {-7.5, int64_t{2}}).toDouble(), -4);
  EXPECT_EQ(call("_operator.mod", {-7.5, int64_t{2}}).toDouble(), 0.5);
  EXPECT_EQ(call("math.ceil", {2.1}).toInt(), 3);
  EXPECT_EQ(call("math.floor", {-2.1}).toInt(), -3);
  EXPECT_EQ(call("math.trunc", {-2.9}).toInt(), -2);
  EXPECT_EQ(call("builtins.round", {2.5}).toInt(), 2);
}

TEST(ScalarOperations, KeepWholeNumbersWhole) {
  EXPECT_TRUE(call("_operator.add", {int64_t{2}, int64_t{3}}).isInt());
  EXPECT_TRUE(call("_operator.mul", {int64_t{2}, 1.5}).isDouble());
  EXPECT_EQ(call("_operator.truediv", {int64_t{3}, int64_t{2}}).toDouble(), 1.5);
  EXPECT_EQ(call("_operator.pow", {int64_t{3}, int64_t{13}}).toInt(), 1594323);
  EXPECT_EQ(call("_operator.pow", {int64_t{2}, int64_t{-1}}).toDouble(), 0.5);
  EXPECT_EQ(call("torch.sym_max", {int64_t{3}, 3.5}).toDouble(), 3.5);
  EXPECT_EQ(call("torch._sym_sqrt", {int64_t{9}}).toDouble(), 3);
  EXPECT_EQ(call("torch.sym_sum", {std::vector<int64_t>{1, 2, 3}}).toInt(), 6);
}

TEST(ScalarOperations, CompareAndChoose) {
  EXPECT_TRUE(call("_operator.lt", {int64_t{2}, 2.5}).toBool());
  EXPECT_TRUE(call("_operator.and_", {true, false}).isBool());
  EXPECT_EQ(call("_operator.and_", {int64_t{6}, int64_t{3}}).toInt(), 2);
  EXPECT_EQ(call("torch.sym_ite", {false, int64_t{1}, int64_t{2}}).toInt(), 2);
  EXPECT_TRUE(call("torch.sym_not", {int64_t{0}}).toBool());
}

TEST(ScalarOperations, RefuseToDivideByZero) {
  for (const char* target : {"_operator.floordiv", "_operator.mod", "_operator.truediv"}) {
    for (const IValue& zero : {IValue(int64_t{0}), IValue(0.0)}) {
      EXPECT_THROW(call(target, {int64_t{1}, zero}), Error) << target;
    }
  }
}

TEST(ScalarOperations, KnowNoOthers) { EXPECT_EQ(scalar_function("_operator.matmul"), nullptr); }

}  // namespace
}  // namespace firesteel
