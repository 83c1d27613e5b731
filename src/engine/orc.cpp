// The one file that sees Arrow's C++ headers here. Batches are read and written as they come.
#include "engine/orc.h"

#include <arrow/adapters/orc/adapter.h>
#include <arrow/adapters/orc/options.h>
#include <arrow/c/bridge.h>
#include <arrow/io/file.h>
#include <arrow/record_batch.h>
#include <arrow/util/compression.h>
#include <fmt/format.h>

#include <map>

#include "base/error.h"

namespace firesteel {

namespace {

using arrow::adapters::orc::ORCFileReader;
using arrow::adapters::orc::ORCFileWriter;

constexpr int64_t kBatchRows = 8192;

void check(const arrow::Status& status, const std::string& path) {
  if (status.ok()) return;
  throw Error("FAILED_READ_FILE.NO_HINT",
              fmt::format("Encountered error while reading file {}: {}", path, status.message()));
}

template <typename T>
T checked(arrow::Result<T> result, const std::string& path) {
  check(result.status(), path);
  return std::move(result).ValueUnsafe();
}

std::unique_ptr<ORCFileReader> open(const std::string& path) {
  auto file = checked(arrow::io::ReadableFile::Open(path), path);
  return checked(ORCFileReader::Open(file, arrow::default_memory_pool()), path);
}

/// The columns in the order that was asked for: Arrow gives them in the file's.
class OrderedBatches : public arrow::RecordBatchReader {
 public:
  OrderedBatches(std::unique_ptr<ORCFileReader> file, std::shared_ptr<RecordBatchReader> batches,
                 const std::vector<std::string>& columns)
      : file_(std::move(file)), batches_(std::move(batches)) {
    arrow::FieldVector fields;
    for (const auto& column : columns) {
      places_.push_back(batches_->schema()->GetFieldIndex(column));
      fields.push_back(batches_->schema()->field(places_.back()));
    }
    schema_ = columns.empty() ? batches_->schema() : arrow::schema(fields);
  }

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    ARROW_RETURN_NOT_OK(batches_->ReadNext(batch));
    if (!*batch || places_.empty()) return arrow::Status::OK();
    return (*batch)->SelectColumns(places_).Value(batch);
  }

 private:
  std::unique_ptr<ORCFileReader> file_;
  std::shared_ptr<RecordBatchReader> batches_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<int> places_;
};

}  // namespace

void orc_schema(const std::string& path, ArrowSchema* out) {
  check(arrow::ExportSchema(*checked(open(path)->ReadSchema(), path), out), path);
}

void orc_rows(const std::string& path, const std::vector<std::string>& columns,
              ArrowArrayStream* out) {
  auto file = open(path);
  auto names = columns;
  if (names.empty()) names = checked(file->ReadSchema(), path)->field_names();
  auto batches = checked(file->GetRecordBatchReader(kBatchRows, names), path);
  check(arrow::ExportRecordBatchReader(
            std::make_shared<OrderedBatches>(std::move(file), std::move(batches), columns), out),
        path);
}

void write_orc(ArrowStream rows, const std::string& path, const std::string& compression) {
  static const std::map<std::string, arrow::Compression::type> kCodecs = {
      {"none", arrow::Compression::UNCOMPRESSED},
      {"snappy", arrow::Compression::SNAPPY},
      {"zlib", arrow::Compression::GZIP},
      {"zstd", arrow::Compression::ZSTD},
      {"lz4", arrow::Compression::LZ4}};
  arrow::adapters::orc::WriteOptions options;
  options.compression = kCodecs.at(compression);
  auto raw = rows.release();
  const auto raise = rows.raise;
  const auto batches = checked(arrow::ImportRecordBatchReader(&raw), path);
  const auto file = checked(arrow::io::FileOutputStream::Open(path), path);
  const auto writer = checked(ORCFileWriter::Open(file.get(), options), path);
  bool any = false;
  for (;;) {
    std::shared_ptr<arrow::RecordBatch> batch;
    const auto status = batches->ReadNext(&batch);
    if (!status.ok() && raise) raise(status.message());  // the query's own error
    check(status, path);
    if (!batch) break;
    check(writer->Write(*batch), path);
    any = true;
  }
  if (!any) {  // the columns of no rows
    check(writer->Write(*checked(arrow::RecordBatch::MakeEmpty(batches->schema()), path)), path);
  }
  check(writer->Close(), path);
  check(file->Close(), path);
}

}  // namespace firesteel
