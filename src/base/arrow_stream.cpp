// Ownership of Arrow C structs: release exactly once, errors thrown.
#include "base/arrow_stream.h"

#include <memory>
#include <utility>
#include <vector>

#include "base/error.h"

namespace firesteel {

ArrowBatch& ArrowBatch::operator=(ArrowBatch&& other) noexcept {
  std::swap(array_, other.array_);
  return *this;
}

ArrowBatch::~ArrowBatch() {
  if (array_.release) array_.release(&array_);
}

ArrowArray ArrowBatch::release() { return std::exchange(array_, ArrowArray{}); }

ArrowSchemaHandle& ArrowSchemaHandle::operator=(ArrowSchemaHandle&& other) noexcept {
  std::swap(schema_, other.schema_);
  return *this;
}

ArrowSchemaHandle::~ArrowSchemaHandle() {
  if (schema_.release) schema_.release(&schema_);
}

ArrowStream::ArrowStream(ArrowStream&& other) noexcept
    : raise(std::move(other.raise)), stream_(std::exchange(other.stream_, ArrowArrayStream{})) {}

ArrowStream& ArrowStream::operator=(ArrowStream&& other) noexcept {
  std::swap(raise, other.raise);
  std::swap(stream_, other.stream_);
  return *this;
}

ArrowStream::~ArrowStream() {
  if (stream_.release) stream_.release(&stream_);
}

namespace {
[[noreturn]] void fail(ArrowArrayStream& stream, const ArrowStream& owner) {
  const char* text = stream.get_last_error ? stream.get_last_error(&stream) : nullptr;
  std::string message = text ? text : "the Arrow stream failed without a message";
  if (owner.raise) owner.raise(message);
  throw Error("INTERNAL_ERROR", message);
}
}  // namespace

ArrowSchemaHandle ArrowStream::schema() {
  ArrowSchemaHandle schema;
  if (!stream_.release) return schema;
  if (stream_.get_schema(&stream_, schema.out()) != 0) fail(stream_, *this);
  return schema;
}

std::optional<ArrowBatch> ArrowStream::next() {
  ArrowArray array{};
  if (!stream_.release) return std::nullopt;
  if (stream_.get_next(&stream_, &array) != 0) fail(stream_, *this);
  if (!array.release) return std::nullopt;
  return ArrowBatch(array);
}

ArrowArrayStream ArrowStream::release() { return std::exchange(stream_, ArrowArrayStream{}); }

ArrowBatch slice_of(std::shared_ptr<const ArrowBatch> batch, int64_t begin, int64_t rows) {
  struct Slice {
    std::shared_ptr<const ArrowBatch> whole;
    std::vector<ArrowArray> columns;
    std::vector<ArrowArray*> pointers;
    const void* no_validity = nullptr;
  };
  const auto& from = *batch->get();
  auto slice = std::make_unique<Slice>();
  for (int64_t i = 0; i < from.n_children; ++i) {
    auto column = *from.children[i];
    column.offset += from.offset + begin;
    column.length = rows;
    column.null_count = -1;
    // It goes with the whole.
    column.release = [](ArrowArray* own) { own->release = nullptr; };
    column.private_data = nullptr;
    slice->columns.push_back(column);
  }
  for (auto& column : slice->columns) slice->pointers.push_back(&column);
  slice->whole = std::move(batch);
  ArrowArray out{};
  out.length = rows;
  out.n_buffers = 1;
  out.buffers = &slice->no_validity;
  out.n_children = from.n_children;
  out.children = slice->pointers.data();
  out.private_data = slice.release();
  out.release = [](ArrowArray* own) {
    delete static_cast<Slice*>(own->private_data);
    own->release = nullptr;
  };
  return ArrowBatch(out);
}

}  // namespace firesteel
