// Processes that train one model together, over libtorch's c10d: Gloo on CPUs, NCCL on CUDA.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "train/options.h"

namespace firesteel {

/// Where processes find each other: a store of names and addresses, open while this lives.
class Rendezvous {
 public:
  /// Listens on a free port of `host`. Throws IO_ERROR.
  explicit Rendezvous(const std::string& host = "127.0.0.1");
  ~Rendezvous();
  Rendezvous(const Rendezvous&) = delete;
  Rendezvous& operator=(const Rendezvous&) = delete;

  /// "host:port".
  const std::string& address() const { return address_; }

 private:
  struct Store;
  std::unique_ptr<Store> store_;
  std::string address_;
};

/// One of the processes. Every call is made by all of them, in the same order; one thread. A
/// process that is gone, or says nothing for the time-out, is WORKER_LOST in all others.
class ProcessGroup {
 public:
  /// Returns when all have come. Throws WORKER_LOST, INVALID_OPTION.
  ProcessGroup(const GroupOptions& options, torch::Device device);
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  int64_t rank() const { return rank_; }
  int64_t world() const { return world_; }

  /// In place.
  void sum(torch::Tensor& tensor);
  /// The same while other work goes on: the tensor holds the sum once the other call returns.
  void begin_sum(const torch::Tensor& tensor);
  void end_sum();
  /// Rank 0's values, in place.
  void broadcast(const std::vector<torch::Tensor>& tensors);
  /// One-dimensional tensors of any lengths, by rank.
  std::vector<torch::Tensor> gather(const torch::Tensor& tensor);

  /// From now on each backward pass leaves in these parameters the mean of the processes'
  /// gradients: summed in buckets while the rest is still computed. `backward_begins` comes before
  /// each.
  void average_gradients(const std::vector<torch::Tensor>& parameters);
  void backward_begins(const torch::Tensor& loss);

 private:
  struct Peers;
  std::unique_ptr<Peers> peers_;
  int64_t rank_, world_;
};

}  // namespace firesteel
