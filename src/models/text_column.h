// The column of texts that a model reads from rows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/arrow_stream.h"

namespace firesteel {

class TextColumn {
 public:
  /// Throws UNRESOLVED_COLUMN.WITH_SUGGESTION when the rows have no such column, DATATYPE_MISMATCH
  /// when it is not of texts.
  TextColumn(const ArrowSchema& rows, const std::string& name);
  /// The column at a place, which is of utf8.
  explicit TextColumn(int64_t place) : place_(place) {}

  /// Of a batch, null as empty.
  std::vector<std::string> texts(const ArrowArray& batch) const;

 private:
  int64_t place_ = -1;
  bool large_ = false;  // large_utf8
};

}  // namespace firesteel
