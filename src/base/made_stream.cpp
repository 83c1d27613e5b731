// A stream's producer as two functions.
#include "base/made_stream.h"

#include <cerrno>
#include <exception>
#include <memory>
#include <utility>

namespace firesteel {

namespace {

struct Producer {
  std::function<ArrowSchemaHandle()> schema;
  std::function<std::optional<ArrowBatch>()> next;
  std::string message = {};
  std::exception_ptr failure = {};
};
/// The stream's `private_data`; `raise` has another, since it is asked when the stream is gone too.
using Share = std::shared_ptr<Producer>;

/// Runs `body` of a stream's producer, keeping what it throws.
template <typename Body>
int kept(ArrowArrayStream* stream, Body body) {
  auto& producer = **static_cast<Share*>(stream->private_data);
  try {
    body(producer);
    return 0;
  } catch (const std::exception& error) {
    producer.failure = std::current_exception();
    producer.message = error.what();
  } catch (...) {
    producer.failure = std::current_exception();
    producer.message = "something that is no std::exception was thrown";
  }
  return EIO;
}

}  // namespace

ArrowStream make_stream(std::function<ArrowSchemaHandle()> schema,
                        std::function<std::optional<ArrowBatch>()> next) {
  auto producer = std::make_shared<Producer>(Producer{std::move(schema), std::move(next)});
  ArrowArrayStream stream{};
  stream.private_data = new Share(producer);
  stream.get_schema = [](ArrowArrayStream* self, ArrowSchema* out) {
    return kept(self, [&](Producer& made) {
      auto schema = made.schema();
      *out = std::exchange(*schema.out(), ArrowSchema{});
    });
  };
  stream.get_next = [](ArrowArrayStream* self, ArrowArray* out) {
    return kept(self, [&](Producer& made) {
      auto batch = made.next();
      *out = batch ? batch->release() : ArrowArray{};
    });
  };
  stream.get_last_error = [](ArrowArrayStream* self) {
    return (*static_cast<Share*>(self->private_data))->message.c_str();
  };
  stream.release = [](ArrowArrayStream* self) {
    auto* share = static_cast<Share*>(self->private_data);
    (*share)->next = nullptr;
    (*share)->schema = nullptr;
    delete share;
    self->release = nullptr;
  };
  ArrowStream out(stream);
  out.raise = [producer](const std::string&) {
    if (producer->failure) std::rethrow_exception(producer->failure);
  };
  return out;
}

}  // namespace firesteel
