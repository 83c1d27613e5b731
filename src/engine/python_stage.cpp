// Rows to a worker and back: cutting them into batches and groups, and what goes around it.
#include "engine/python_stage.h"

#include <arrow/array/array_nested.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>

#include "base/error.h"
#include "duckdb.hpp"
#include "duckdb/common/value_operations/value_operations.hpp"
#include "duckdb/common/vector_operations/vector_operations.hpp"
#include "engine/pickle.h"
#include "engine/python_arrow.h"
#include "engine/python_rows.h"
#include "engine/query_rows.h"
#include "engine/values.h"

namespace firesteel {

using duckdb::DataChunk;
using duckdb::Value;
using duckdb::Vector;

namespace {

constexpr size_t kPickledRows = 100;

/// Kinds whose functions see each row of their columns as one struct column.
bool takes_struct(int kind) {
  using namespace python_kind;
  return kind == kMapPandas || kind == kMapArrow || kind == kGroupedMapArrow ||
         kind == kGroupedMapArrowIter;
}

/// Kinds that answer each row with rows of its own, and at the end once more.
bool is_table(int kind) { return kind >= python_kind::kTable; }

/// Before, equal or behind, in the order that ORDER BY … NULLS FIRST has.
int compare(const std::vector<Value>& a, const std::vector<Value>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].IsNull() || b[i].IsNull()) {
      if (a[i].IsNull() && b[i].IsNull()) continue;
      return a[i].IsNull() ? -1 : 1;
    }
    if (duckdb::ValueOperations::LessThan(a[i], b[i])) return -1;
    if (duckdb::ValueOperations::LessThan(b[i], a[i])) return 1;
  }
  return 0;
}

}  // namespace

/// One of the relations that go in.
struct PythonStage::Side {
  QueryRows rows;
  Schema types;
  size_t kept, keys;
  std::string zone;
  std::shared_ptr<arrow::Schema> columns, sent;
  size_t batch_rows;

  std::unique_ptr<DataChunk> chunk = {};  // the last one read
  std::vector<bool> starts = {};          // which of its rows begin a group
  std::vector<Value> key = {};            // of the group that its last row is of
  bool any = false, open = false;
  arrow::RecordBatchVector ready = {};
  int64_t ready_rows = 0;
  /// Of pairs: the next group, its key, and what of `chunk` is not read yet.
  std::vector<Value> group_key = {};
  size_t at = 0;
  std::shared_ptr<arrow::RecordBatch> batch = {};

  Side(duckdb::ClientContext& context, const std::string& sql, const Schema& input,
       const PythonKernel& kernel)
      : rows(context, sql),
        types(input),
        kept(static_cast<size_t>(kernel.task->kept)),
        keys(static_cast<size_t>(kernel.task->keys)),
        zone(kernel.zone),
        columns(python_arrow_schema(input, kernel.zone)),
        batch_rows(kernel.batch_rows) {
    sent = takes_struct(kernel.task->kind)
               ? arrow::schema({arrow::field("_0", arrow::struct_(columns->fields()))})
               : columns;
  }

  bool read() {
    chunk = rows.next();
    if (!chunk) return false;
    if (keys > 0) find_starts();
    return true;
  }

  std::vector<Value> key_of(size_t row) const {
    std::vector<Value> values;
    for (size_t i = 0; i < keys; ++i) values.push_back(chunk->GetValue(kept + i, row));
    return values;
  }

  void find_starts() {
    const auto count = chunk->size();
    starts.assign(count, false);
    starts[0] = !any || compare(key, key_of(0)) != 0;
    any = true;
    duckdb::SelectionVector before(count), here(count);
    for (size_t i = 0; i + 1 < count; ++i) {
      before.set_index(i, i);
      here.set_index(i, i + 1);
    }
    Vector differs(duckdb::LogicalType::BOOLEAN);
    for (size_t i = 0; i < keys && count > 1; ++i) {
      Vector a(chunk->data[kept + i], before, count - 1), b(chunk->data[kept + i], here, count - 1);
      duckdb::VectorOperations::DistinctFrom(a, b, differs, count - 1);
      differs.Flatten(count - 1);
      const auto* flags = duckdb::FlatVector::GetData<bool>(differs);
      for (size_t row = 1; row < count; ++row)
        if (flags[row - 1]) starts[row] = true;
    }
    key = key_of(count - 1);
  }

  std::shared_ptr<arrow::RecordBatch> made(duckdb::ClientContext& context) {
    return batch_of_chunk(context, *chunk, kept, types, columns, zone);
  }

  /// As the kind of function takes it.
  std::shared_ptr<arrow::RecordBatch> shaped(const std::shared_ptr<arrow::RecordBatch>& part) {
    if (sent == columns) return part;
    const auto as_struct = part->ToStructArray();
    if (!as_struct.ok()) throw Error("INTERNAL_ERROR", as_struct.status().message());
    return arrow::RecordBatch::Make(sent, part->num_rows(), {*as_struct});
  }

  void add(const std::shared_ptr<arrow::RecordBatch>& part) {
    if (part->num_rows() == 0) return;
    ready.push_back(part);
    ready_rows += part->num_rows();
  }

  /// The next group's batches; false when there is none.
  bool next_group(duckdb::ClientContext& context) {
    ready.clear();
    ready_rows = 0;
    if (!batch || at == static_cast<size_t>(batch->num_rows())) {
      if (!next_batch(context)) return false;
    }
    group_key = key_of(at);
    do {
      size_t end = at + 1;
      while (end < starts.size() && !starts[end]) ++end;
      add(batch->Slice(static_cast<int64_t>(at), static_cast<int64_t>(end - at)));
      at = end;
      if (at < starts.size()) return true;
    } while (next_batch(context) && !starts[0]);
    return true;
  }

  bool next_batch(duckdb::ClientContext& context) {
    at = 0;
    batch = nullptr;
    if (!read()) return false;
    if (keys == 0) starts.assign(chunk->size(), false);  // one group of all rows
    batch = made(context);
    return true;
  }
};

PythonStage::PythonStage(duckdb::ClientContext& context, std::shared_ptr<const PythonKernel> kernel)
    : context_(context), kernel_(std::move(kernel)) {
  const auto& task = *kernel_->task;
  // The worker starts while the rows are still being worked out.
  run_ = std::make_unique<PythonRun>(task, [this] { return context_.IsInterrupted(); });
  left_ = std::make_unique<Side>(context_, task.rows, task.input, *kernel_);
  if (!task.other_rows.empty())
    right_ = std::make_unique<Side>(context_, task.other_rows, task.other_input, *kernel_);
  if (run_->form() == PythonForm::kStream || run_->form() == PythonForm::kBatchGroups)
    run_->begin_stream(left_->sent);
  if (run_->form() == PythonForm::kBatchGroups) left_->batch_rows = SIZE_MAX;
  run_->worker().more = [this] { return feed(); };
}

PythonStage::~PythonStage() = default;

bool PythonStage::feed() {
  bool more = false;
  switch (run_->form()) {
    case PythonForm::kStream:
      more = feed_rows();
      break;
    case PythonForm::kGroups:
    case PythonForm::kBatchGroups:
      more = right_ ? feed_pairs() : feed_groups();
      break;
    case PythonForm::kPickles:
      more = feed_pickles();
      break;
  }
  if (!more) run_->end_input();
  return more;
}

void PythonStage::keep(DataChunk& chunk) {
  if (left_->kept == 0) return;
  auto part = std::make_unique<DataChunk>();
  duckdb::vector<duckdb::LogicalType> types;
  for (size_t i = 0; i < left_->kept; ++i) types.push_back(chunk.data[i].GetType());
  part->InitializeEmpty(types);
  for (size_t i = 0; i < left_->kept; ++i) part->data[i].Reference(chunk.data[i]);
  part->SetCardinality(chunk.size());
  kept_.push_back(std::move(part));
}

/// Sends batches of the size that the settings say, and with `all` what is left.
void PythonStage::send_ready(Side& side, bool all) {
  const auto size = static_cast<int64_t>(std::min<size_t>(side.batch_rows, INT64_MAX));
  while (side.ready_rows > 0 && (all || side.ready_rows >= size)) {
    arrow::RecordBatchVector parts;
    int64_t rows = 0;
    while (!side.ready.empty() && rows < size) {
      const auto part = side.ready.front();
      const auto count = std::min(part->num_rows(), size - rows);
      parts.push_back(part->Slice(0, count));
      rows += count;
      if (count == part->num_rows()) {
        side.ready.erase(side.ready.begin());
      } else {
        side.ready.front() = part->Slice(count);
      }
    }
    side.ready_rows -= rows;
    auto batch = parts[0];
    if (parts.size() > 1) {
      arrow::ArrayVector columns;
      for (int i = 0; i < batch->num_columns(); ++i) {
        arrow::ArrayVector pieces;
        for (const auto& part : parts) pieces.push_back(part->column(i));
        columns.push_back(concatenated(pieces));
      }
      batch = arrow::RecordBatch::Make(batch->schema(), rows, columns);
    }
    run_->send(*side.shaped(batch));
  }
}

bool PythonStage::feed_rows() {
  auto& side = *left_;
  if (!side.read()) {
    send_ready(side, true);
    return false;
  }
  keep(*side.chunk);
  side.add(side.made(context_));
  send_ready(side, false);
  return true;
}

void PythonStage::end_group(Side& side) {
  if (!side.open) return;
  send_ready(side, true);
  if (run_->form() == PythonForm::kGroups) run_->end_stream();
}

void PythonStage::begin_group(Side& side) {
  end_group(side);
  side.open = true;
  if (run_->form() == PythonForm::kBatchGroups) return;
  run_->worker().send_int(1);  // relations in a group
  run_->begin_stream(side.sent);
}

bool PythonStage::feed_groups() {
  auto& side = *left_;
  if (!side.read()) {
    end_group(side);
    return false;
  }
  keep(*side.chunk);
  if (side.keys == 0) {  // all rows are one group
    side.starts.assign(side.chunk->size(), false);
    side.starts[0] = !side.open;
  }
  const auto batch = side.made(context_);
  for (size_t at = 0; at < side.starts.size();) {
    if (side.starts[at]) begin_group(side);
    size_t end = at + 1;
    while (end < side.starts.size() && !side.starts[end]) ++end;
    side.add(batch->Slice(static_cast<int64_t>(at), static_cast<int64_t>(end - at)));
    send_ready(side, false);
    at = end;
  }
  return true;
}

/// Groups of two relations that are ordered by their keys.
bool PythonStage::feed_pairs() {
  const auto read = [&](Side& side) {
    if (!side.open) side.open = side.next_group(context_);
    return side.open;
  };
  const bool left = read(*left_), right = read(*right_);
  if (!left && !right) return false;
  const int order = !left ? 1 : !right ? -1 : compare(left_->group_key, right_->group_key);
  run_->worker().send_int(2);
  for (auto* side : {left_.get(), right_.get()}) {
    const bool has = side == left_.get() ? order <= 0 : order >= 0;
    run_->begin_stream(side->sent);
    if (has) {
      send_ready(*side, true);
      side->open = false;
    } else {
      const auto none = arrow::RecordBatch::MakeEmpty(side->sent);
      if (!none.ok()) throw Error("INTERNAL_ERROR", none.status().message());
      run_->send(**none);
    }
    run_->end_stream();
  }
  return true;
}

bool PythonStage::feed_pickles() {
  auto& side = *left_;
  if (!side.read()) return false;
  keep(*side.chunk);
  const auto count = side.chunk->size();
  for (size_t at = 0; at < count; at += kPickledRows)
    run_->worker().send_text(pickled_rows(*side.chunk, side.kept, side.types, at,
                                          std::min<size_t>(count, at + kPickledRows)));
  return true;
}

/// The next rows that the worker gives; false at its end.
bool PythonStage::read_columns() {
  const auto& task = *kernel_->task;
  const auto batch = run_->next();
  if (!batch) return false;
  columns_ = batch->columns();
  rows_ = static_cast<size_t>(batch->num_rows());
  given_ = 0;
  if (python_gives_value(task.kind)) {
    columns_[0] = column_for_duckdb(columns_[0], task.output);
    return true;
  }
  const auto& fields = *task.output.fields;
  if (batch->num_columns() != 1 || batch->column(0)->type_id() != arrow::Type::STRUCT)
    throw Error("PYTHON_WORKER_CRASHED", "The Python worker gave no rows of a struct.");
  const auto parts = static_cast<const arrow::StructArray&>(*batch->column(0))
                         .Flatten(arrow::default_memory_pool());
  if (!parts.ok()) throw Error("INTERNAL_ERROR", parts.status().message());
  columns_ = *parts;
  if (columns_.size() != fields.size()) {
    if (columns_.empty() && rows_ == 0) return true;
    throw Error("ARROW_TYPE_MISMATCH", "Invalid schema from pandas_udf(): expected " +
                                           task.output.sql() + ", got " +
                                           batch->column(0)->type()->ToString() + ".");
  }
  for (size_t i = 0; i < columns_.size(); ++i)
    columns_[i] = column_for_duckdb(columns_[i], fields[i].type);
  return true;
}

bool PythonStage::read_pickle() {
  std::string bytes;
  if (!run_->next_pickle(bytes)) return false;
  const auto& fields = *kernel_->task->output.fields;
  // A list of one result: a tuple of rows.
  const auto message = unpickled(bytes);
  pickled_ = std::make_unique<DataChunk>();
  duckdb::vector<duckdb::LogicalType> types;
  for (const auto& field : fields) types.push_back(logical_type(field.type));
  rows_ = message.items.empty() ? 0 : message.items[0].items.size();
  given_ = 0;
  pickled_->Initialize(context_, types, std::max<size_t>(rows_, 1));
  for (size_t row = 0; row < rows_; ++row) {
    const auto& cells = message.items[0].items[row].items;
    for (size_t i = 0; i < fields.size(); ++i)
      pickled_->SetValue(
          i, row,
          i < cells.size() ? value_of_pickled(cells[i], fields[i].type) : null_of(fields[i].type));
  }
  pickled_->SetCardinality(rows_);
  return true;
}

/// Puts the kept columns beside so many rows, or as many as the chunk that they are of has.
size_t PythonStage::place_kept(DataChunk& out, size_t rows) {
  if (left_->kept == 0) return rows;
  if (kept_.empty()) throw Error("PYTHON_WORKER_CRASHED", "The worker gave more rows than it got.");
  if (is_table(kernel_->task->kind)) {  // all of them are of one row
    duckdb::SelectionVector same(rows);
    for (size_t i = 0; i < rows; ++i) same.set_index(i, kept_used_);
    for (size_t i = 0; i < left_->kept; ++i) out.data[i].Slice(kept_.front()->data[i], same, rows);
    return rows;
  }
  if (kept_used_ == kept_.front()->size()) {
    kept_.pop_front();
    kept_used_ = 0;
    if (kept_.empty())
      throw Error("PYTHON_WORKER_CRASHED", "The worker gave more rows than it got.");
  }
  rows = std::min<size_t>(rows, kept_.front()->size() - kept_used_);
  for (size_t i = 0; i < left_->kept; ++i)
    out.data[i].Slice(kept_.front()->data[i], kept_used_, kept_used_ + rows);
  kept_used_ += rows;
  return rows;
}

void PythonStage::emit(DataChunk& out) {
  const auto rows = place_kept(out, std::min<size_t>(STANDARD_VECTOR_SIZE, rows_ - given_));
  for (size_t i = left_->kept; i < out.ColumnCount(); ++i) {
    const auto column = i - left_->kept;
    if (columns_.empty() && !pickled_) {  // rows without columns
      out.data[i].Reference(Value(out.data[i].GetType()));
    } else if (pickled_) {
      out.data[i].Slice(pickled_->data[column], given_, given_ + rows);
    } else {
      fill_vector(context_,
                  columns_[column]->Slice(static_cast<int64_t>(given_), static_cast<int64_t>(rows)),
                  out.data[i]);
    }
  }
  given_ += rows;
  out.SetCardinality(rows);
}

/// The next answer of a table function is the next row's; what comes behind the last row's answer
/// stays with that row.
void PythonStage::next_row() {
  if (!std::exchange(answered_, true) || kept_.empty()) return;
  if (kept_used_ + 1 < kept_.front()->size()) {
    ++kept_used_;
  } else if (kept_.size() > 1) {
    kept_.pop_front();
    kept_used_ = 0;
  }
}

void PythonStage::next(DataChunk& out) {
  const bool pickles = python_form(kernel_->task->kind) == PythonForm::kPickles;
  while (!ended_) {
    // Beside no row at all there is nothing to give.
    if (given_ < rows_ && (left_->kept == 0 || !kept_.empty())) return emit(out);
    ended_ = !(pickles ? read_pickle() : read_columns());
    if (!ended_ && is_table(kernel_->task->kind)) next_row();
  }
}

}  // namespace firesteel
