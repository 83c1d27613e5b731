// Formats through Arrow C++ (ipc) and the engine's own writers (csv, json, parquet).
#include "cli/output.h"

#include <arrow/c/bridge.h>
#include <arrow/io/file.h>
#include <arrow/io/stdio.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>

#include "base/error.h"
#include "dataframe/session.h"
#include "engine/engine.h"
#include "plan/names.h"

namespace firesteel::cli {

namespace fs = std::filesystem;

namespace {

template <typename T>
T checked(arrow::Result<T> result, const std::string& what) {
  if (!result.ok()) throw Error("IO_ERROR", fmt::format("{}: {}", what, result.status().message()));
  return std::move(result).ValueOrDie();
}

void checked(const arrow::Status& status, const std::string& what) {
  if (!status.ok()) throw Error("IO_ERROR", fmt::format("{}: {}", what, status.message()));
}

/// A file aside, removed unless it is renamed into place.
struct Part {
  explicit Part(const std::string& path) : target(path), aside(path + ".part") {
    const auto folder = fs::absolute(target).parent_path();
    if (!fs::is_directory(folder)) {
      throw Error("PATH_NOT_FOUND", fmt::format("The folder {} does not exist.", folder.string()));
    }
  }
  ~Part() {
    std::error_code ignored;
    fs::remove(aside, ignored);
  }
  void commit() {
    std::error_code failure;
    fs::rename(aside, target, failure);
    if (failure)
      throw Error("IO_ERROR",
                  fmt::format("{} cannot be written: {}.", target.string(), failure.message()));
  }
  fs::path target, aside;
};

void write_arrow(const DataFrame& df, const std::string& path) {
  std::optional<Part> part;
  if (!path.empty()) part.emplace(path);
  auto stream = df.toArrowStream();
  auto raw_schema = stream.schema();
  ArrowSchema c_schema = *raw_schema.get();
  raw_schema.out()->release = nullptr;  // the importer owns it now
  const auto schema = checked(arrow::ImportSchema(&c_schema), "schema");
  std::shared_ptr<arrow::io::OutputStream> sink;
  if (path.empty()) {
    sink = std::make_shared<arrow::io::StdoutStream>();
  } else {
    sink = checked(arrow::io::FileOutputStream::Open(part->aside.string()), path);
  }
  const auto writer = checked(arrow::ipc::MakeStreamWriter(sink, schema), path);
  while (auto batch = stream.next()) {
    ArrowArray array = batch->release();
    checked(writer->WriteRecordBatch(*checked(arrow::ImportRecordBatch(&array, schema), path)),
            path);
  }
  checked(writer->Close(), path);
  checked(sink->Close(), path);
  if (part) part->commit();
}

/// A folder of part files beside the result, emptied into it.
void write_through_engine(const DataFrame& df, const std::string& format, const std::string& path) {
  std::optional<Part> part;
  if (!path.empty()) part.emplace(path);
  const fs::path folder = fs::temp_directory_path() / fmt::format("firesteel-{}", ::getpid());
  struct Remove {
    fs::path path;
    ~Remove() {
      std::error_code ignored;
      fs::remove_all(path, ignored);
    }
  } remove{folder};
  auto writer = (format == "csv" ? nested_as_text(df) : df).write();
  writer.format(format).mode("overwrite");
  if (format == "csv") {
    // Spaces at the ends of texts stay, which Spark's files lose.
    writer.option("header", "true")
        .option("ignoreLeadingWhiteSpace", "false")
        .option("ignoreTrailingWhiteSpace", "false");
  }
  writer.save(folder.string());
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with("part-")) continue;
    if (path.empty()) {
      std::ifstream in(entry.path(), std::ios::binary);
      char buffer[1 << 16];
      while (in.read(buffer, sizeof buffer) || in.gcount() > 0) {
        if (std::fwrite(buffer, 1, in.gcount(), stdout) != static_cast<size_t>(in.gcount())) {
          throw Error("IO_ERROR", "The output could not be written.");
        }
      }
    } else {
      std::error_code failure;
      fs::copy_file(entry.path(), part->aside, fs::copy_options::overwrite_existing, failure);
      if (failure) {
        throw Error(failure == std::errc::no_space_on_device ? "DISK_FULL" : "IO_ERROR",
                    fmt::format("{} cannot be written: {}.", path, failure.message()));
      }
      part->commit();
    }
  }
}

}  // namespace

DataFrame nested_as_text(const DataFrame& df) {
  std::vector<std::string> columns;
  bool nested = false;
  for (const auto& field : df.schema()) {
    const bool holds = field.type.is_nested() || field.type.kind == TypeKind::kVariant;
    const auto name = quoted({field.name});
    columns.push_back(holds ? fmt::format("CAST({0} AS STRING) AS {0}", name) : name);
    nested = nested || holds;
  }
  return nested ? df.selectExpr(columns) : df;
}

void write_rows(const DataFrame& df, const std::string& format, const std::string& path) {
  if (format == "arrow") return write_arrow(df, path);
  if (format == "parquet" && path.empty()) {
    throw Error("INVALID_OPTION", "Parquet needs a file: give --output FILE.");
  }
  // Files are written here: rows of a server come here first.
  write_through_engine(df.executor()->is_remote()
                           ? Session(make_embedded_executor()).createDataFrame(df.toArrowStream())
                           : df,
                       format, path);
}

}  // namespace firesteel::cli
