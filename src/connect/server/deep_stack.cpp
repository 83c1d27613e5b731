// POSIX threads with a stack size, which std::thread does not have.
#include "connect/server/deep_stack.h"

#include <pthread.h>

#include <exception>
#include <memory>
#include <utility>

#include "base/error.h"

namespace firesteel::connect {

namespace {

constexpr size_t kStackBytes = 256 << 20;  // of addresses; what is used becomes memory

void* run(void* argument) {
  const std::unique_ptr<std::function<void()>> body(static_cast<std::function<void()>*>(argument));
  (*body)();
  return nullptr;
}

}  // namespace

DeepThread::DeepThread(std::function<void()> body) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  auto owned = std::make_unique<std::function<void()>>(std::move(body));
  const int code = pthread_create(&thread_, &attributes, run, owned.get());
  pthread_attr_destroy(&attributes);
  if (code != 0) throw Error("OUT_OF_MEMORY", "No thread can be started: too many are running.");
  owned.release();
  joinable_ = true;
}

DeepThread::DeepThread(DeepThread&& other) noexcept
    : thread_(other.thread_), joinable_(std::exchange(other.joinable_, false)) {}

DeepThread& DeepThread::operator=(DeepThread&& other) noexcept {
  std::swap(thread_, other.thread_);
  std::swap(joinable_, other.joinable_);
  return *this;
}

DeepThread::~DeepThread() {
  if (joinable_) pthread_join(thread_, nullptr);
}

void on_deep_stack(const std::function<void()>& body) {
  std::exception_ptr thrown;
  {
    const DeepThread thread([&] {
      try {
        body();
      } catch (...) {
        thrown = std::current_exception();
      }
    });
  }
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace firesteel::connect
