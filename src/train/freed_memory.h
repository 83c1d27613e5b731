// What glibc does with the memory of activations between passes.
#pragma once

#include <malloc.h>

namespace firesteel {

/// While it lives, memory that is freed stays with the process: activations of many megabytes are
/// freed and asked for again in every step, and each time the system would have to clear their
/// pages, which is a tenth of a small model's time.
class FreedMemoryKept {
 public:
  FreedMemoryKept() {
    ::mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most there is
    ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  }
  ~FreedMemoryKept() {
    ::mallopt(M_TRIM_THRESHOLD, 1 << 20);
    ::malloc_trim(0);
  }
  FreedMemoryKept(const FreedMemoryKept&) = delete;
  FreedMemoryKept& operator=(const FreedMemoryKept&) = delete;
};

}  // namespace firesteel
