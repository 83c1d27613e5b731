// Forward copies rows of the tables into rows of the output; backward adds slices of the output's
// gradient to rows of the tables' gradients, a table per task.
#include "nn/feature_embeddings.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <atomic>
#include <cstring>

#include "base/error.h"

namespace firesteel::nn {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct EmbedFeatures : torch::autograd::Function<EmbedFeatures> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& numeric,
                               const torch::Tensor& given_ids, at::TensorList tables);
  static variable_list backward(AutogradContext* context, variable_list gradients);
};

[[noreturn]] void outside(const torch::Tensor& ids, at::TensorList tables) {
  for (size_t column = 0; column < tables.size(); ++column) {
    const auto values = ids.select(1, static_cast<int64_t>(column));
    const auto highest = values.max().item<int64_t>(), lowest = values.min().item<int64_t>();
    if (lowest >= 0 && highest < tables[column].size(0)) continue;
    throw Error("MODEL_INPUT_INVALID",
                fmt::format("Categorical column {} has the id {}, and its table has {} rows.",
                            column, lowest < 0 ? lowest : highest, tables[column].size(0)));
  }
  throw Error("INTERNAL_ERROR", "An id is outside of its table, and none is.");
}

torch::Tensor EmbedFeatures::forward(AutogradContext* context, const torch::Tensor& numeric,
                                     const torch::Tensor& given_ids, at::TensorList tables) {
  const auto ids = given_ids.contiguous();
  const auto numbers = numeric.contiguous();
  const int64_t rows = ids.size(0), columns = ids.size(1);
  const int64_t numeric_width = numbers.size(1);
  int64_t width = numeric_width;
  std::vector<const float*> values;
  std::vector<torch::Tensor> kept;
  std::vector<int64_t> widths, heights;
  for (const auto& table : tables) {
    kept.push_back(table.contiguous());
    values.push_back(kept.back().const_data_ptr<float>());
    widths.push_back(table.size(1));
    heights.push_back(table.size(0));
    width += widths.back();
  }
  auto output = torch::empty({rows, width}, numbers.options());
  float* const out = output.mutable_data_ptr<float>();
  const float* const number = numbers.const_data_ptr<float>();
  const int64_t* const id = ids.const_data_ptr<int64_t>();
  std::atomic<bool> wrong{false};
  at::parallel_for(0, rows, 512, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      float* to = out + row * width;
      std::memcpy(to, number + row * numeric_width, numeric_width * sizeof(float));
      to += numeric_width;
      for (int64_t column = 0; column < columns; ++column) {
        const int64_t place = id[row * columns + column];
        if (place < 0 || place >= heights[column]) {
          wrong = true;
          return;
        }
        const float* from = values[column] + place * widths[column];
        for (int64_t i = 0; i < widths[column]; ++i) to[i] = from[i];
        to += widths[column];
      }
    }
  });
  if (wrong) outside(ids, tables);
  context->save_for_backward({ids});
  context->saved_data["widths"] = widths;
  context->saved_data["heights"] = heights;
  context->saved_data["numeric_width"] = numeric_width;
  return output;
}

variable_list EmbedFeatures::backward(AutogradContext* context, variable_list gradients) {
  const auto ids = context->get_saved_variables()[0];
  const auto widths = context->saved_data["widths"].toIntVector();
  const auto heights = context->saved_data["heights"].toIntVector();
  const int64_t numeric_width = context->saved_data["numeric_width"].toInt();
  const auto gradient = gradients[0].contiguous();
  const int64_t rows = ids.size(0), columns = ids.size(1), width = gradient.size(1);
  variable_list result(2 + widths.size());
  if (context->needs_input_grad(0)) result[0] = gradient.slice(1, 0, numeric_width);
  std::vector<int64_t> offsets;
  int64_t offset = numeric_width;
  for (size_t column = 0; column < widths.size(); ++column) {
    offsets.push_back(offset);
    offset += widths[column];
    result[2 + column] = torch::zeros({heights[column], widths[column]}, gradient.options());
  }
  const float* const from = gradient.const_data_ptr<float>();
  const int64_t* const id = ids.const_data_ptr<int64_t>();
  at::parallel_for(0, columns, 1, [&](int64_t begin, int64_t end) {
    for (int64_t column = begin; column < end; ++column) {
      float* const table = result[2 + column].mutable_data_ptr<float>();
      const int64_t count = widths[column];
      for (int64_t row = 0; row < rows; ++row) {
        float* to = table + id[row * columns + column] * count;
        const float* slice = from + row * width + offsets[column];
        for (int64_t i = 0; i < count; ++i) to[i] += slice[i];
      }
    }
  });
  return result;
}

bool fits_one_pass(const torch::Tensor& tensor) {
  return tensor.is_cpu() && tensor.scalar_type() == torch::kFloat32;
}

}  // namespace

torch::Tensor embed_features(const torch::Tensor& numeric, const torch::Tensor& ids,
                             const std::vector<torch::Tensor>& tables) {
  if (tables.empty()) return numeric.defined() ? numeric : torch::empty({ids.size(0), 0});
  const auto numbers =
      numeric.defined() ? numeric
                        : torch::empty({ids.size(0), 0}, tables[0].options().requires_grad(false));
  bool one_pass = fits_one_pass(numbers);
  for (const auto& table : tables) one_pass = one_pass && fits_one_pass(table);
  if (one_pass) return EmbedFeatures::apply(numbers, ids, at::TensorList(tables));
  std::vector<torch::Tensor> parts = {numbers};
  for (size_t column = 0; column < tables.size(); ++column) {
    parts.push_back(torch::embedding(tables[column], ids.select(1, static_cast<int64_t>(column))));
  }
  return torch::cat(parts, 1);
}

}  // namespace firesteel::nn
