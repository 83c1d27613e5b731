// The Arrow C stream interface (https://arrow.apache.org/docs/format/CStreamInterface.html), and
// an owner for it: the only thing that crosses between the data world and the tensor world.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

extern "C" {
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4
struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema** children;
  struct ArrowSchema* dictionary;
  void (*release)(struct ArrowSchema*);
  void* private_data;
};
struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void** buffers;
  struct ArrowArray** children;
  struct ArrowArray* dictionary;
  void (*release)(struct ArrowArray*);
  void* private_data;
};
#endif
#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE
struct ArrowArrayStream {
  int (*get_schema)(struct ArrowArrayStream*, struct ArrowSchema* out);
  int (*get_next)(struct ArrowArrayStream*, struct ArrowArray* out);
  const char* (*get_last_error)(struct ArrowArrayStream*);
  void (*release)(struct ArrowArrayStream*);
  void* private_data;
};
#endif
}

namespace firesteel {

/// A struct array of one batch, released on destruction. Move-only. `get()->children[i]` is column
/// i.
class ArrowBatch {
 public:
  ArrowBatch() = default;
  explicit ArrowBatch(ArrowArray array) : array_(array) {}
  ArrowBatch(ArrowBatch&& other) noexcept : array_(other.array_) { other.array_.release = nullptr; }
  ArrowBatch& operator=(ArrowBatch&& other) noexcept;
  ~ArrowBatch();
  const ArrowArray* get() const { return &array_; }
  int64_t rows() const { return array_.length; }
  /// Hands the array to another owner.
  ArrowArray release();

 private:
  ArrowArray array_{};
};

/// Rows of a batch that goes on living, without a copy.
ArrowBatch slice_of(std::shared_ptr<const ArrowBatch> batch, int64_t begin, int64_t rows);

/// A schema, released on destruction. Move-only.
class ArrowSchemaHandle {
 public:
  ArrowSchemaHandle() = default;
  ArrowSchemaHandle(ArrowSchemaHandle&& other) noexcept : schema_(other.schema_) {
    other.schema_.release = nullptr;
  }
  ArrowSchemaHandle& operator=(ArrowSchemaHandle&& other) noexcept;
  ~ArrowSchemaHandle();
  const ArrowSchema* get() const { return &schema_; }
  ArrowSchema* out() { return &schema_; }

 private:
  ArrowSchema schema_{};
};

/// Rows of one running query, in batches. Move-only; the destructor cancels the query. One thread
/// at a time. A failure while reading is thrown as an Error.
class ArrowStream {
 public:
  ArrowStream() = default;
  explicit ArrowStream(ArrowArrayStream stream) : stream_(stream) {}
  ArrowStream(ArrowStream&& other) noexcept;
  ArrowStream& operator=(ArrowStream&& other) noexcept;
  ~ArrowStream();

  ArrowSchemaHandle schema();
  /// The next batch, or nothing at the end.
  std::optional<ArrowBatch> next();
  /// Hands the stream to another owner, e.g. Arrow C++'s ImportRecordBatchReader.
  ArrowArrayStream release();

  /// Turns the text of `get_last_error` back into the Error it was made from. Set by the producer.
  std::function<void(const std::string&)> raise;

 private:
  ArrowArrayStream stream_{};
};

}  // namespace firesteel
