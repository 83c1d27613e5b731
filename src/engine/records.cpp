// spark_records(files, …): the records of text files as rows of (record, file, number), and what is
// known of a file by its path. A record is a line, what stands between separators, or a whole file;
// number counts a file's records from 0.
#include <bzlib.h>
#include <fmt/format.h>

#include <atomic>
#include <filesystem>

#include "duckdb.hpp"
#include "duckdb/common/file_system.hpp"
#include "duckdb/function/table_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "engine/json_reader.h"
#include "engine/kernels.h"
#include "engine/row_function.h"
#include "engine/write.h"

namespace firesteel {

namespace {

namespace fs = std::filesystem;
using duckdb::idx_t;
using duckdb::LogicalType;
using duckdb::Value;

struct RecordRules : duckdb::TableFunctionData {
  std::vector<std::string> files;
  std::string separator;  // empty: any of \n, \r\n, \r
  std::string encoding = "utf-8";
  bool whole = false;
  bool skip_blank = false;
  std::string comment;  // records that begin with it are left out
  /// When there is a quote, line breaks within quoted fields do not end a record.
  std::string quote, escape, delimiter;
  bool ignore_corrupt = false, ignore_missing = false;
};

std::string decoded(std::string bytes, const std::string& encoding) {
  std::string out;
  const auto unit = [&](size_t at, bool big) {
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
    return static_cast<uint32_t>(big ? byte(at) << 8 | byte(at + 1) : byte(at + 1) << 8 | byte(at));
  };
  if (encoding == "latin-1") {
    for (const char c : bytes) append_utf8(out, static_cast<unsigned char>(c));
    return out;
  }
  size_t at = 0;
  bool big = encoding == "utf-16" || encoding == "utf-16be";
  if (encoding == "utf-16" && bytes.size() >= 2) {
    const auto mark = unit(0, true);
    if (mark == 0xFEFF || mark == 0xFFFE) at = 2;
    big = mark != 0xFFFE;
  }
  for (; at + 1 < bytes.size(); at += 2) {
    uint32_t code = unit(at, big);
    if (code >= 0xD800 && code < 0xDC00 && at + 3 < bytes.size()) {
      code = 0x10000 + ((code - 0xD800) << 10) + (unit(at + 2, big) - 0xDC00);
      at += 2;
    }
    append_utf8(out, code);
  }
  return out;
}

/// A file's bytes, unpacked by what its name ends with.
class Bytes {
 public:
  Bytes(duckdb::ClientContext& context, const std::string& path) : bzip2_(path.ends_with(".bz2")) {
    if (bzip2_) {
      packed_ = std::fopen(path.c_str(), "rb");
      int code = BZ_OK;
      if (packed_) stream_ = BZ2_bzReadOpen(&code, packed_, 0, 0, nullptr, 0);
      if (!stream_) throw duckdb::IOException("Cannot open file \"%s\"", path);
    } else {
      handle_ = duckdb::FileSystem::GetFileSystem(context).OpenFile(
          path, duckdb::FileFlags::FILE_FLAGS_READ | duckdb::FileCompressionType::AUTO_DETECT);
    }
  }
  ~Bytes() {
    int ignored = BZ_OK;
    if (stream_) BZ2_bzReadClose(&ignored, stream_);
    if (packed_) std::fclose(packed_);
  }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;

  /// 0 at the end.
  size_t read(char* to, size_t size) {
    if (!bzip2_) return static_cast<size_t>(handle_->Read(to, size));
    int code = BZ_OK;
    const int count = ended_ ? 0 : BZ2_bzRead(&code, stream_, to, static_cast<int>(size));
    if (code != BZ_OK && code != BZ_STREAM_END)
      throw duckdb::IOException("The file is no whole bzip2 file");
    ended_ = ended_ || code == BZ_STREAM_END;
    return static_cast<size_t>(count);
  }

 private:
  duckdb::unique_ptr<duckdb::FileHandle> handle_;
  bool bzip2_, ended_ = false;
  std::FILE* packed_ = nullptr;
  BZFILE* stream_ = nullptr;
};

/// The records of one file, read in blocks.
class Records {
 public:
  Records(duckdb::ClientContext& context, const RecordRules& rules, const std::string& path)
      : rules_(rules), bytes_(context, path) {
    if (rules.whole || rules.encoding != "utf-8") {
      while (more()) {
      }
    }
    if (rules.encoding != "utf-8") text_ = decoded(std::move(text_), rules.encoding);
    more();
    if (!rules.whole && text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
  }

  /// Valid until the next call.
  std::optional<std::string_view> next() {
    while (const auto record = any()) {
      const bool blank =
          rules_.skip_blank && record->find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
      if (!blank && (rules_.comment.empty() || !record->starts_with(rules_.comment))) return record;
    }
    return std::nullopt;
  }

 private:
  static constexpr size_t kBlockBytes = 1 << 20;

  bool more() {
    if (ended_) return false;
    text_.erase(0, at_);
    at_ = 0;
    const size_t before = text_.size();
    text_.resize(before + kBlockBytes);
    const size_t count = bytes_.read(text_.data() + before, kBlockBytes);
    text_.resize(before + count);
    ended_ = count == 0;
    return !ended_;
  }

  std::optional<std::string_view> any() {
    if (rules_.whole) {
      if (std::exchange(done_, true)) return std::nullopt;
      return std::string_view(text_);
    }
    for (size_t from = 0;;) {
      size_t past = 0;
      const size_t end = end_of_record(from, past);
      if (end != std::string::npos) {
        const std::string_view record(text_.data() + at_, end - at_);
        at_ = past;
        return record;
      }
      from = rules_.quote.empty() ? text_.size() - at_ - std::min(text_.size() - at_, kOverlap) : 0;
      if (more()) continue;
      if (at_ == text_.size()) return std::nullopt;
      const std::string_view record(text_.data() + at_, text_.size() - at_);
      at_ = text_.size();
      return record;
    }
  }

  /// Where the record at `at_` ends, and what follows begins; `from` bytes of it have no end.
  size_t end_of_record(size_t from, size_t& past) const {
    bool quoted = false, field_start = true;
    for (size_t i = at_ + from; i < text_.size(); ++i) {
      const char c = text_[i];
      if (!rules_.quote.empty()) {
        if (quoted) {
          if (!rules_.escape.empty() && c == rules_.escape[0] && i + 1 < text_.size() &&
              (text_[i + 1] == rules_.quote[0] || text_[i + 1] == rules_.escape[0])) {
            ++i;
          } else if (c == rules_.quote[0]) {
            quoted = false;
          }
          continue;
        }
        if (c == rules_.quote[0] && field_start) {
          quoted = true;
          field_start = false;
          continue;
        }
        field_start = text_.compare(i + 1 - std::min(i + 1, rules_.delimiter.size()),
                                    rules_.delimiter.size(), rules_.delimiter) == 0;
      }
      if (rules_.separator.empty()) {
        if (c != '\n' && c != '\r') continue;
        if (c == '\r' && i + 1 == text_.size() && !ended_) return std::string::npos;
        past = i + (c == '\r' && i + 1 < text_.size() && text_[i + 1] == '\n' ? 2 : 1);
        return i;
      }
      if (text_.compare(i, rules_.separator.size(), rules_.separator) == 0) {
        past = i + rules_.separator.size();
        return i;
      }
    }
    return std::string::npos;
  }

  static constexpr size_t kOverlap = 64;  // more than a separator has

  const RecordRules& rules_;
  Bytes bytes_;
  std::string text_;
  size_t at_ = 0;
  bool ended_ = false, done_ = false;
};

struct FilesLeft : duckdb::GlobalTableFunctionState {
  std::atomic<size_t> next{0};
  size_t count = 1;
  idx_t MaxThreads() const override { return count; }
};

struct OpenFile : duckdb::LocalTableFunctionState {
  std::string path;
  std::unique_ptr<Records> records;
  int64_t number = 0;
};

duckdb::unique_ptr<duckdb::FunctionData> bind(duckdb::ClientContext&,
                                              duckdb::TableFunctionBindInput& input,
                                              duckdb::vector<LogicalType>& types,
                                              duckdb::vector<std::string>& names) {
  auto rules = duckdb::make_uniq<RecordRules>();
  for (const auto& file : duckdb::ListValue::GetChildren(input.inputs[0]))
    rules->files.push_back(duckdb::StringValue::Get(file));
  for (const auto& [name, value] : input.named_parameters) {
    const auto text = [&] { return duckdb::StringValue::Get(value); };
    if (name == "separator") rules->separator = text();
    if (name == "encoding") rules->encoding = text();
    if (name == "comment") rules->comment = text();
    if (name == "quote") rules->quote = text();
    if (name == "escape") rules->escape = text();
    if (name == "delimiter") rules->delimiter = text();
    if (name == "whole") rules->whole = value.GetValue<bool>();
    if (name == "skip_blank") rules->skip_blank = value.GetValue<bool>();
    if (name == "ignore_corrupt") rules->ignore_corrupt = value.GetValue<bool>();
    if (name == "ignore_missing") rules->ignore_missing = value.GetValue<bool>();
  }
  types = {LogicalType::VARCHAR, LogicalType::VARCHAR, LogicalType::BIGINT};
  names = {"record", "file", "number"};
  return rules;
}

void read(duckdb::ClientContext& context, duckdb::TableFunctionInput& data,
          duckdb::DataChunk& output) {
  const auto& rules = data.bind_data->Cast<RecordRules>();
  auto& left = data.global_state->Cast<FilesLeft>();
  auto& open = data.local_state->Cast<OpenFile>();
  auto* records = duckdb::FlatVector::GetData<duckdb::string_t>(output.data[0]);
  auto* files = duckdb::FlatVector::GetData<duckdb::string_t>(output.data[1]);
  auto* numbers = duckdb::FlatVector::GetData<int64_t>(output.data[2]);
  idx_t count = 0;
  while (count < STANDARD_VECTOR_SIZE) {
    try {
      if (!open.records) {
        if (count > 0) break;  // a chunk is of one file
        const size_t index = left.next++;
        if (index >= rules.files.size()) break;
        open.path = rules.files[index];
        open.number = 0;
        open.records = std::make_unique<Records>(context, rules, open.path);
      }
      const auto record = open.records->next();
      if (!record) {
        open.records.reset();
        continue;
      }
      records[count] =
          duckdb::Value::StringIsValid(record->data(), record->size())
              ? duckdb::StringVector::AddString(output.data[0], record->data(), record->size())
              : duckdb::StringVector::AddString(output.data[0], repaired_utf8(*record));
      files[count] = duckdb::StringVector::AddString(output.data[1], open.path);
      numbers[count++] = open.number++;
    } catch (const duckdb::IOException&) {
      open.records.reset();
      if (!rules.ignore_corrupt && !(rules.ignore_missing && !fs::exists(open.path))) throw;
    }
  }
  output.SetCardinality(count);
}

std::optional<std::string> file_uri(Arguments arguments) {
  std::string out = "file://";
  for (const char c : fs::absolute(arguments[0].text).lexically_normal().string()) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain =
        std::isalnum(byte) || std::string_view("-_.!~*'()/:@&=+$,;").find(c) != std::string::npos;
    out += plain || byte >= 0x80 ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return out;
}

std::optional<std::string> file_name(Arguments arguments) {
  return fs::path(arguments[0].text).filename().string();
}

/// Size and time, asked once as long as rows are of the same file.
struct FileState {
  int64_t bytes = 0, modified_micros = 0;
  explicit FileState(std::string_view path) {
    std::error_code absent;
    bytes = static_cast<int64_t>(fs::file_size(path, absent));
    const auto time = std::chrono::file_clock::to_sys(fs::last_write_time(path, absent));
    modified_micros =
        std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count() * 1000;
  }
};

std::optional<int64_t> file_size(Arguments arguments) { return FileState(arguments[0].text).bytes; }

std::optional<int64_t> file_time(Arguments arguments) {
  return FileState(arguments[0].text).modified_micros;
}

/// The value of a folder year=2024 in a file's path.
std::optional<std::string> partition_value(Arguments arguments) {
  for (const auto& [name, value] : partition_values(std::string(arguments[0].text))) {
    if (name == arguments[1].text) return value;
  }
  return std::nullopt;
}

}  // namespace

void register_records(duckdb::ExtensionLoader& loader) {
  duckdb::TableFunction function(
      "spark_records", {LogicalType::LIST(LogicalType::VARCHAR)}, read, bind,
      [](duckdb::ClientContext&, duckdb::TableFunctionInitInput& input)
          -> duckdb::unique_ptr<duckdb::GlobalTableFunctionState> {
        auto left = duckdb::make_uniq<FilesLeft>();
        left->count = input.bind_data->Cast<RecordRules>().files.size();
        return left;
      },
      [](duckdb::ExecutionContext&, duckdb::TableFunctionInitInput&,
         duckdb::GlobalTableFunctionState*) -> duckdb::unique_ptr<duckdb::LocalTableFunctionState> {
        return duckdb::make_uniq<OpenFile>();
      });
  for (const char* name : {"separator", "encoding", "comment", "quote", "escape", "delimiter"})
    function.named_parameters[name] = LogicalType::VARCHAR;
  for (const char* name : {"whole", "skip_blank", "ignore_corrupt", "ignore_missing"})
    function.named_parameters[name] = LogicalType::BOOLEAN;
  loader.RegisterFunction(function);
  add_row_function(loader, "spark_file_uri", "s>s", file_uri);
  add_row_function(loader, "spark_file_name", "s>s", file_name);
  add_row_function(loader, "spark_file_size", "s>l", file_size);
  add_row_function(loader, "spark_file_time", "s>T", file_time);
  add_row_function(loader, "spark_partition_value", "ss>s", partition_value);
}

}  // namespace firesteel
