// One Select block that relations are fused into, and the columns it offers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "functions/spec.h"

namespace firesteel {

/// A column of a Query. `sql` is a name that no other column of the whole statement has, so that
/// nested blocks and correlated subqueries need no qualifiers.
struct Attribute {
  std::string name;
  DataType type;
  bool nullable = true;
  std::string sql;
  bool exact = true;
  /// What may stand before the name: {"t"} or {"default", "t"}.
  std::vector<std::string> qualifiers = {};
  /// Ids of the plans that a client may have taken the column from.
  std::vector<int64_t> plan_ids = {};
  /// Says of which file a row is: no star shows it.
  bool of_file = false;
  /// When not empty, the column is made in this block by this expression.
  std::string computed = {};
  std::string metadata = {};  // Field::metadata
};

/// The name of the hidden column that input_file_name() reads.
inline constexpr const char* kInputFile = "<file>";
/// That of the one that spark_partition_id() reads.
inline constexpr const char* kPartition = "<partition>";

/// One block of SQL. Attributes that are not computed come from `from`.
struct Select {
  std::string from;
  std::vector<std::string> where, group_by, having, order_by;
  bool grouped = false, distinct = false, has_window = false;
  std::string limit, offset;

  bool limited() const { return !limit.empty() || !offset.empty(); }
};

struct Query {
  Select select;
  std::vector<Attribute> output;
  /// Reachable by a qualified name alone: the other side's key of a join with USING.
  std::vector<Attribute> hidden = {};
  /// The input of the last projection, which ORDER BY may still name.
  std::vector<Attribute> below = {};
  /// After an aggregation, until something else is put on it: its input and keys (as SQL).
  struct Aggregation {
    std::vector<Attribute> input;
    std::vector<Resolved> keys;
    bool sets = false;  // ROLLUP, CUBE or GROUPING SETS
  };
  std::shared_ptr<const Aggregation> aggregation = {};
  /// Rows of constants, as long as the block is nothing but them: unions of such are one list.
  struct Rows {
    std::vector<std::string> columns;
    std::vector<std::vector<Resolved>> cells;
  };
  std::shared_ptr<const Rows> rows = {};
  bool is_rows() const;
  /// A generator's rows: the elements of this list, as the column `element`, of which the columns
  /// are computed. As long as the block is nothing but them, they stand beside the rows they are of
  /// without a join, which would lose the rows' order.
  struct Elements {
    std::string list, element;
  };
  std::shared_ptr<const Elements> elements = {};
  bool is_elements() const;

  /// The block as SQL text, with these columns.
  std::string print(const std::vector<Attribute>& columns) const;
  /// Makes the block the FROM of a new one.
  void wrap(bool keep_below = false);
};

}  // namespace firesteel
