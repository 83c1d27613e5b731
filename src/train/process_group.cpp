// The one file that sees c10d and Gloo. Debian's Gloo headers fit the Gloo inside of libtorch.
#include "train/process_group.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#include <utility>
#if defined(USE_C10D_NCCL) && __has_include(<nccl.h>)
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#define FIRESTEEL_NCCL
#endif

#include "base/error.h"

namespace firesteel {

namespace {

/// c10d's exceptions as ours: whatever fails in a collective call, the others are out of reach.
template <typename Call>
auto reached(int64_t rank, Call call) {
  try {
    return call();
  } catch (const std::exception& error) {
    // "[file.cc:553] Connection closed by peer [127.0.0.1]:56527. This is typically …"
    std::string text = error.what();
    if (text.starts_with('[')) text.erase(0, text.find("] ") + 2);
    text = text.substr(0, std::min(text.find('\n'), text.find(". ")));
    throw Error("WORKER_LOST",
                fmt::format("Worker {} lost the others: {}. A worker ended or cannot be reached; "
                            "resume goes on from the last checkpoint.",
                            rank, text));
  }
}

std::pair<std::string, uint16_t> host_and_port(const std::string& address) {
  const auto colon = address.rfind(':');
  const long port = colon == std::string::npos ? 0 : std::atol(address.c_str() + colon + 1);
  if (port < 1 || port > 65535) {
    throw Error("INVALID_OPTION",
                fmt::format("The workers' meeting place `{}` is not host:port.", address));
  }
  return {address.substr(0, colon), static_cast<uint16_t>(port)};
}

}  // namespace

struct Rendezvous::Store {
  c10::intrusive_ptr<c10d::TCPStore> tcp;
};

Rendezvous::Rendezvous(const std::string& host) : store_(std::make_unique<Store>()) {
  c10d::TCPStoreOptions options;
  options.port = 0;
  options.isServer = true;
  options.waitWorkers = false;
  try {
    store_->tcp = c10::make_intrusive<c10d::TCPStore>(host, options);
  } catch (const std::exception& error) {
    throw Error("IO_ERROR", fmt::format("The workers cannot meet at {}: {}", host, error.what()));
  }
  address_ = fmt::format("{}:{}", host, store_->tcp->getPort());
}

Rendezvous::~Rendezvous() = default;

struct ProcessGroup::Peers {
  c10::intrusive_ptr<c10d::ProcessGroup> group;
  std::unique_ptr<c10d::Reducer> reducer;
  c10::intrusive_ptr<c10d::Work> summing;
};

ProcessGroup::ProcessGroup(const GroupOptions& options, torch::Device device)
    : peers_(std::make_unique<Peers>()), rank_(options.rank), world_(options.world) {
  if (world_ < 1 || rank_ < 0 || rank_ >= world_) {
    throw Error("INVALID_OPTION", fmt::format("There is no worker {} of {}.", rank_, world_));
  }
  const auto [host, port] = host_and_port(options.rendezvous);
  const std::chrono::milliseconds timeout(std::lround(options.timeout_seconds * 1000));
  reached(rank_, [&, host = host, port = port] {
    c10d::TCPStoreOptions store_options;
    store_options.port = port;
    store_options.isServer = options.serves && rank_ == 0;
    store_options.numWorkers = static_cast<size_t>(world_);
    store_options.waitWorkers = false;
    store_options.timeout = timeout;
    const auto store = c10::make_intrusive<c10d::TCPStore>(host, store_options);
    const auto rank = static_cast<int>(rank_), world = static_cast<int>(world_);
    peers_->group = c10::make_intrusive<c10d::ProcessGroup>(store, rank, world);
    if (device.is_cuda()) {
#ifdef FIRESTEEL_NCCL
      auto nccl_options = c10d::ProcessGroupNCCL::Options::create();
      nccl_options->timeout = timeout;
      peers_->group->setBackend(
          device.type(), c10d::ProcessGroup::BackendType::NCCL,
          c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, world, nccl_options));
      peers_->group->setDefaultBackend(c10d::ProcessGroup::BackendType::NCCL);
#else
      throw std::runtime_error("this build has no NCCL; train with device = \"cpu\"");
#endif
    }
    auto gloo_options = c10d::ProcessGroupGloo::Options::create(timeout);
    gloo_options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(
        options.interface.empty() ? "127.0.0.1" : options.interface));
    peers_->group->setBackend(
        torch::kCPU, c10d::ProcessGroup::BackendType::GLOO,
        c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, world, gloo_options));
    if (device.is_cpu()) {
      peers_->group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
    }
  });
}

ProcessGroup::~ProcessGroup() = default;

void ProcessGroup::sum(torch::Tensor& tensor) {
  reached(rank_, [&] {
    std::vector<torch::Tensor> list{tensor};
    peers_->group->allreduce(list)->wait();
  });
}

void ProcessGroup::begin_sum(const torch::Tensor& tensor) {
  reached(rank_, [&] {
    std::vector<torch::Tensor> list{tensor};
    peers_->summing = peers_->group->allreduce(list);
  });
}

void ProcessGroup::end_sum() {
  reached(rank_, [&] { peers_->summing->wait(); });
}

void ProcessGroup::broadcast(const std::vector<torch::Tensor>& tensors) {
  reached(rank_, [&] {
    for (const auto& tensor : tensors) {
      std::vector<torch::Tensor> list{tensor.detach()};
      peers_->group->broadcast(list)->wait();
    }
  });
}

std::vector<torch::Tensor> ProcessGroup::gather(const torch::Tensor& tensor) {
  return reached(rank_, [&] {
    // Gathered tensors have one size: the lengths go first.
    auto lengths = torch::zeros({world_}, torch::kInt64);
    lengths[rank_] = tensor.numel();
    sum(lengths);
    auto padded = torch::zeros({lengths.max().item<int64_t>()}, tensor.options());
    padded.slice(0, 0, tensor.numel()).copy_(tensor);
    std::vector<std::vector<torch::Tensor>> all(1);
    for (int64_t i = 0; i < world_; ++i) all[0].push_back(torch::empty_like(padded));
    std::vector<torch::Tensor> mine{padded};
    peers_->group->allgather(all, mine)->wait();
    for (int64_t i = 0; i < world_; ++i) {
      all[0][i] = all[0][i].slice(0, 0, lengths[i].item<int64_t>());
    }
    return all[0];
  });
}

void ProcessGroup::average_gradients(const std::vector<torch::Tensor>& parameters) {
  const std::vector<bool> sparse(parameters.size(), false);
  const auto [assigned, limits] = c10d::compute_bucket_assignment_by_size(
      parameters, {c10d::kDefaultFirstBucketBytes, c10d::kDefaultBucketBytesCap}, sparse);
  auto buckets = assigned;
  std::reverse(buckets.begin(), buckets.end());  // Gradients of the last layers are ready first.
  peers_->reducer = std::make_unique<c10d::Reducer>(
      parameters, buckets, peers_->group, sparse, c10d::kDefaultBucketBytesCap,
      /*find_unused_parameters=*/false, /*gradient_as_bucket_view=*/false,
      std::unordered_map<size_t, std::string>(), c10d::kDefaultFirstBucketBytes,
      /*skip_all_reduce_unused_params=*/false, /*use_python_reducer=*/false,
      std::vector<int64_t>());
}

void ProcessGroup::backward_begins(const torch::Tensor& loss) {
  peers_->reducer->prepare_for_backward({loss});
}

}  // namespace firesteel
