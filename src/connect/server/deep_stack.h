// Threads whose stack bears plans that are nested thousands deep.
#pragma once

#include <functional>

namespace firesteel::connect {

/// A thread with such a stack. Joined by the destructor.
class DeepThread {
 public:
  DeepThread() = default;
  explicit DeepThread(std::function<void()> body);
  DeepThread(DeepThread&& other) noexcept;
  DeepThread& operator=(DeepThread&& other) noexcept;
  ~DeepThread();

 private:
  unsigned long thread_ = 0;
  bool joinable_ = false;
};

/// Runs `body` on such a thread and waits; what it throws is thrown here.
void on_deep_stack(const std::function<void()>& body);

}  // namespace firesteel::connect
