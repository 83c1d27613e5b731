// Pixels of image files, as Spark's `image` source has them.
#include <span>

#include "duckdb.hpp"
#include "engine/kernels.h"
#include "images/decode.h"

namespace firesteel {

namespace {

using duckdb::LogicalType;
using duckdb::Value;

LogicalType pixels_type() {
  return LogicalType::STRUCT({{"height", LogicalType::INTEGER},
                              {"width", LogicalType::INTEGER},
                              {"nChannels", LogicalType::INTEGER},
                              {"mode", LogicalType::INTEGER},
                              {"data", LogicalType::BLOB}});
}

Value pixels_value(int64_t height, int64_t width, int64_t channels, int64_t mode,
                   std::string data) {
  const auto number = [](int64_t n) { return Value::INTEGER(static_cast<int32_t>(n)); };
  return Value::STRUCT({{"height", number(height)},
                        {"width", number(width)},
                        {"nChannels", number(channels)},
                        {"mode", number(mode)},
                        {"data", Value::BLOB_RAW(data)}});
}

/// Blue before green before red; the mode is OpenCV's CV_8UC1, CV_8UC3 or CV_8UC4. What is no image
/// is -1 in all numbers, as in Spark.
Value pixels_of(const std::string& content) {
  try {
    auto image = decode_stored(std::as_bytes(std::span(content)));
    if (image.channels > 1)
      for (size_t i = 0; i < image.pixels.size(); i += image.channels)
        std::swap(image.pixels[i], image.pixels[i + 2]);
    return pixels_value(image.height, image.width, image.channels, 8 * (image.channels - 1),
                        std::string(image.pixels.begin(), image.pixels.end()));
  } catch (const Error&) {
    return pixels_value(-1, -1, -1, -1, "");
  }
}

void image_kernel(duckdb::DataChunk& input, duckdb::ExpressionState&, duckdb::Vector& result) {
  for (duckdb::idx_t row = 0; row < input.size(); ++row) {
    const auto content = input.data[0].GetValue(row);
    result.SetValue(row, content.IsNull() ? Value() : pixels_of(duckdb::StringValue::Get(content)));
  }
  if (input.AllConstant()) result.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
}

}  // namespace

void register_images(duckdb::ExtensionLoader& loader) {
  duckdb::ScalarFunction function("spark_image", {LogicalType::BLOB}, pixels_type(), image_kernel);
  function.SetVolatile();  // so that a filter on its result does not decode once more
  loader.RegisterFunction(function);
}

}  // namespace firesteel
