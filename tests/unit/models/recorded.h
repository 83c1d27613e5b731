// Runs an exported program as tests/reference/pt2_expected.py ran the Python module, and says where
// they differ.
#pragma once

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "models/exported_program.h"
#include "train/safetensors.h"

namespace firesteel::testing {

/// As the recorder's.
inline torch::Tensor pattern(torch::IntArrayRef shape) {
  const auto count = c10::multiply_integers(shape);
  return (torch::sin(torch::arange(count, torch::kFloat64) * 0.7 + 0.3) / 2)
      .to(torch::kFloat32)
      .reshape(shape);
}

/// The recorder's loss: every floating output that weights have a part in, against the pattern.
inline torch::Tensor loss_of(const std::vector<torch::Tensor>& outputs) {
  torch::Tensor total = torch::zeros({});
  for (const auto& output : outputs) {
    if (!output.defined() || !output.is_floating_point() || !output.requires_grad()) continue;
    total = total + (output.to(torch::kFloat32) - pattern(output.sizes())).square().mean();
  }
  return total;
}

/// Largest difference, relative to the largest expected value; infinite for another shape.
inline double distance(const torch::Tensor& actual, const torch::Tensor& expected) {
  if (actual.sizes() != expected.sizes()) return INFINITY;
  if (expected.numel() == 0) return 0;
  const auto a = actual.detach().to(torch::kFloat64), b = expected.to(torch::kFloat64);
  const auto equal = (a == b) | (a.isnan() & b.isnan());  // Infinite values among them.
  const auto difference = torch::where(equal, torch::zeros_like(a), (a - b).abs());
  const auto largest =
      torch::where(b.isfinite(), b.abs(), torch::zeros_like(b)).max().item<double>();
  const double worst = difference.max().item<double>();
  return std::isnan(worst) ? INFINITY : worst / std::max(largest, 1e-6);
}

/// The error of a call as users see it, or "none".
inline std::string failure(const std::function<void()>& call) {
  try {
    call();
    return "none";
  } catch (const Error& error) {
    return error.what();
  }
}

struct Comparison {
  double eval = 0, train = 0, gradient = 0, losses = 0, after = 0;
  std::vector<std::string> differences;  // what is further away than the tolerance
};

class Recorded {
 public:
  explicit Recorded(const std::filesystem::path& path) : recorded_(read_safetensors(path)) {}

  /// New tensors each time: a program may write to them.
  std::map<std::string, torch::Tensor> inputs() const {
    std::map<std::string, torch::Tensor> inputs;
    for (const auto& [name, tensor] : recorded_.tensors) {
      if (name.starts_with("input.")) inputs[name.substr(6)] = tensor.clone();
    }
    return inputs;
  }

  Comparison compare(ExportedProgram program, double tolerance) const {
    Comparison found;
    program->eval();
    {
      torch::NoGradGuard no_grad;
      found.eval = outputs(program->forward(inputs()), "eval.", tolerance, &found);
    }
    program->train();
    std::vector<torch::Tensor> parameters;
    for (const auto& parameter : program->parameters()) {
      if (parameter.requires_grad()) parameters.push_back(parameter);
    }
    const auto optimizer = make_optimizer(parameters);
    const auto& losses = recorded_.tensors.at("losses");
    std::vector<float> reached;
    for (int64_t step = 0; step < losses.size(0); ++step) {
      torch::manual_seed(step);
      const auto results = program->forward(inputs());
      const auto loss = loss_of(results);
      optimizer->zero_grad();
      loss.backward();
      if (step == 0) {
        found.train = outputs(results, "train.", tolerance, &found);
        found.gradient = gradients(*program, tolerance, &found);
      }
      reached.push_back(loss.item<float>());
      optimizer->step();
    }
    found.losses = note("losses", distance(torch::tensor(reached), losses), tolerance, &found);
    for (const auto& buffer : program->named_buffers()) {
      const auto expected = recorded_.tensors.find("after." + buffer.key());
      if (expected == recorded_.tensors.end()) continue;
      found.after = std::max(
          found.after,
          note(expected->first, distance(buffer.value(), expected->second), tolerance, &found));
    }
    return found;
  }

 private:
  static double note(const std::string& what, double distance, double tolerance,
                     Comparison* found) {
    if (!(distance <= tolerance))
      found->differences.push_back(fmt::format("{} by {:.2g}", what, distance));
    return distance;
  }

  double outputs(const std::vector<torch::Tensor>& results, const std::string& prefix,
                 double tolerance, Comparison* found) const {
    double worst = 0;
    size_t count = 0;
    for (const auto& result : results) {
      if (!result.defined()) continue;  // None
      const auto name = prefix + std::to_string(count++);
      const auto expected = recorded_.tensors.find(name);
      worst = std::max(
          worst,
          note(name,
               expected == recorded_.tensors.end() ? INFINITY : distance(result, expected->second),
               tolerance, found));
    }
    if (recorded_.tensors.count(prefix + std::to_string(count)))
      note(prefix + "count", INFINITY, tolerance, found);
    return worst;
  }

  double gradients(const torch::nn::Module& program, double tolerance, Comparison* found) const {
    double worst = 0;
    size_t count = 0;
    for (const auto& parameter : program.named_parameters()) {
      const auto expected = recorded_.tensors.find("gradient." + parameter.key());
      if (expected == recorded_.tensors.end()) continue;
      ++count;
      const auto& gradient = parameter.value().grad();
      // Where the true gradient is zero both hold rounding errors alone.
      const bool both_tiny = gradient.defined() &&
                             expected->second.abs().max().item<double>() < 1e-6 &&
                             gradient.abs().max().item<double>() < 1e-6;
      worst = std::max(worst, note(expected->first,
                                   !gradient.defined() ? INFINITY
                                   : both_tiny         ? 0
                                                       : distance(gradient, expected->second),
                                   tolerance, found));
    }
    const auto recorded =
        std::count_if(recorded_.tensors.begin(), recorded_.tensors.end(),
                      [](const auto& row) { return row.first.starts_with("gradient."); });
    if (count != static_cast<size_t>(recorded)) note("gradient names", INFINITY, tolerance, found);
    return worst;
  }

  std::unique_ptr<torch::optim::Optimizer> make_optimizer(
      std::vector<torch::Tensor> parameters) const {
    const double rate = std::stod(recorded_.metadata.at("rate"));
    if (recorded_.metadata.at("optimizer") == "adam") {
      return std::make_unique<torch::optim::Adam>(std::move(parameters),
                                                  torch::optim::AdamOptions(rate));
    }
    return std::make_unique<torch::optim::SGD>(std::move(parameters),
                                               torch::optim::SGDOptions(rate).momentum(0.9));
  }

  NamedTensors recorded_;
};

}  // namespace firesteel::testing
