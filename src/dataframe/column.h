// Column expressions: `(col("a") + 1).alias("b")`, built as Spark Connect proto.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace spark::connect {
class Expression;
}

namespace firesteel {

class WindowSpec;

/// What a column says of itself besides its name and type: a JSON object.
struct Metadata {
  std::string json;
};

/// An exact number as text, "12.50": its type has at least so many digits, so many after the point.
struct Decimal {
  std::string digits;
  int precision = 10, scale = 0;
};

/// An expression. A cheap value: copies share the proto.
class Column {
 public:
  Column(const char* name);         // NOLINT: as in PySpark, a name stands for the column
  Column(const std::string& name);  // NOLINT
  explicit Column(std::shared_ptr<const spark::connect::Expression> expression);

  Column alias(const std::string& name) const;
  /// The columns of what makes several: `posexplode("xs").alias("at", "x")`.
  template <typename... Names>
  Column alias(const std::string& first, const Names&... names) const {
    return alias(std::vector<std::string>{first, names...});
  }
  Column alias(const std::vector<std::string>& names) const;
  Column alias(const std::string& name, const Metadata& metadata) const;
  Column name(const std::string& alias) const { return this->alias(alias); }
  /// A Spark type: "int", "decimal(10,2)".
  Column cast(const std::string& type) const;
  Column astype(const std::string& type) const { return cast(type); }
  /// NULL where `cast` fails.
  Column try_cast(const std::string& type) const;
  Column isNull() const;
  Column isNotNull() const;
  Column isin(const std::vector<Column>& values) const;
  Column between(const Column& low, const Column& high) const;
  Column like(const std::string& pattern) const;
  Column ilike(const std::string& pattern) const;
  Column rlike(const std::string& pattern) const;
  Column startswith(const Column& prefix) const;
  Column endswith(const Column& suffix) const;
  Column contains(const Column& part) const;
  Column substr(int position, int length) const;
  Column substr(const Column& position, const Column& length) const;
  /// By a key or field ("a"), a position (0) or an expression.
  Column getItem(const Column& key) const;
  Column getItem(const std::string& key) const;
  Column getItem(const char* key) const { return getItem(std::string(key)); }
  Column getItem(int position) const;
  Column getField(const std::string& name) const;
  template <typename Key>
  Column operator[](const Key& key) const {
    return getItem(key);
  }
  /// Of a struct, with the field added or changed; "a.b" is a field within a field.
  Column withField(const std::string& name, const Column& value) const;
  Column dropFields(const std::vector<std::string>& names) const;
  Column isNaN() const;
  Column bitwiseAND(const Column& other) const;
  Column bitwiseOR(const Column& other) const;
  Column bitwiseXOR(const Column& other) const;
  Column eqNullSafe(const Column& other) const;
  Column otherwise(const Column& value) const;
  Column when(const Column& condition, const Column& value) const;
  Column asc() const;
  Column asc_nulls_first() const { return asc(); }
  Column asc_nulls_last() const;
  Column desc() const;
  Column desc_nulls_first() const;
  Column desc_nulls_last() const { return desc(); }
  /// Means the query around a lateral join's right side; names find it there by themselves.
  Column outer() const { return *this; }
  template <typename Function>
  Column transform(Function function) const {
    return function(*this);
  }
  Column over(const WindowSpec& window) const;

  const spark::connect::Expression& expression() const { return *expression_; }

 private:
  std::shared_ptr<const spark::connect::Expression> expression_;
};

Column col(const std::string& name);
Column lit(std::nullptr_t);
/// TINYINT, SMALLINT, INT, BIGINT, FLOAT and DOUBLE.
Column lit(int8_t value);
Column lit(int16_t value);
Column lit(int value);
Column lit(int64_t value);
Column lit(float value);
Column lit(double value);
Column lit(bool value);
Column lit(const char* value);
Column lit(const std::string& value);
Column lit(const std::vector<std::byte>& value);
Column lit(const Decimal& value);
/// DATE, TIMESTAMP (a moment), TIMESTAMP_NTZ (as a clock says), TIME and INTERVAL DAY TO SECOND.
Column lit(std::chrono::sys_days value);
Column lit(std::chrono::sys_time<std::chrono::microseconds> value);
Column lit(std::chrono::local_time<std::chrono::microseconds> value);
Column lit(std::chrono::hh_mm_ss<std::chrono::microseconds> value);
Column lit(std::chrono::microseconds value);

#define FIRESTEEL_COLUMN_OPERATOR(op)                                                        \
  Column operator op(const Column& left, const Column& right);                               \
  inline Column operator op(const Column& left, int right) { return left op lit(right); }    \
  inline Column operator op(const Column& left, double right) { return left op lit(right); } \
  inline Column operator op(int left, const Column& right) { return lit(left) op right; }    \
  inline Column operator op(double left, const Column& right) { return lit(left) op right; }
FIRESTEEL_COLUMN_OPERATOR(+)
FIRESTEEL_COLUMN_OPERATOR(-)
FIRESTEEL_COLUMN_OPERATOR(*)
FIRESTEEL_COLUMN_OPERATOR(/)
FIRESTEEL_COLUMN_OPERATOR(%)
FIRESTEEL_COLUMN_OPERATOR(==)
FIRESTEEL_COLUMN_OPERATOR(!=)
FIRESTEEL_COLUMN_OPERATOR(<)
FIRESTEEL_COLUMN_OPERATOR(<=)
FIRESTEEL_COLUMN_OPERATOR(>)
FIRESTEEL_COLUMN_OPERATOR(>=)
#undef FIRESTEEL_COLUMN_OPERATOR
Column operator&&(const Column& left, const Column& right);
Column operator||(const Column& left, const Column& right);
Column operator!(const Column& column);
/// PySpark's `~`, `&` and `|`.
Column operator~(const Column& column);
Column operator&(const Column& left, const Column& right);
Column operator|(const Column& left, const Column& right);
Column operator-(const Column& column);

/// A window: `Window::partitionBy({"carrier"}).orderBy({"day"}).rowsBetween(-7, -1)`.
class WindowSpec {
 public:
  WindowSpec partitionBy(const std::vector<Column>& keys) const;
  WindowSpec orderBy(const std::vector<Column>& keys) const;
  WindowSpec rowsBetween(int64_t start, int64_t end) const;
  WindowSpec rangeBetween(int64_t start, int64_t end) const;

 private:
  friend class Column;
  enum class Frame { kDefault, kRows, kRange };
  std::vector<Column> partition_, order_;
  Frame frame_ = Frame::kDefault;
  int64_t start_ = 0, end_ = 0;
};

struct Window {
  static WindowSpec rowsBetween(int64_t start, int64_t end) {
    return WindowSpec().rowsBetween(start, end);
  }
  static WindowSpec rangeBetween(int64_t start, int64_t end) {
    return WindowSpec().rangeBetween(start, end);
  }
  static constexpr int64_t unboundedPreceding = INT64_MIN;
  static constexpr int64_t unboundedFollowing = INT64_MAX;
  static constexpr int64_t currentRow = 0;
  static WindowSpec partitionBy(const std::vector<Column>& keys) {
    return WindowSpec().partitionBy(keys);
  }
  static WindowSpec orderBy(const std::vector<Column>& keys) { return WindowSpec().orderBy(keys); }
};

}  // namespace firesteel
