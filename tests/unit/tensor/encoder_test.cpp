// Every Arrow type through every kind of encoder, and the errors.
#include "tensor/encoder.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <limits>
#include <span>

#include "arrow_fixture.h"
#include "base/error.h"
#include "base/file.h"
#include "images/decode.h"
#include "tensor/image_functions.h"

namespace firesteel {
namespace {

using testing::ArrowColumn;
using testing::ArrowColumns;

Batch encode(const std::vector<EncoderSpec>& specs, const ArrowColumns& columns,
             bool with_label = true) {
  ArrowSchemaHandle schema;
  *schema.out() = testing::struct_schema(columns);
  const ArrowBatch batch(testing::struct_array(columns));
  return Encoder(specs, *schema.get(), with_label).encode(*batch.get());
}

std::vector<float> floats(const torch::Tensor& tensor) {
  const auto flat = tensor.contiguous().flatten();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

std::vector<int64_t> integers(const torch::Tensor& tensor) {
  const auto flat = tensor.contiguous().flatten();
  return {flat.data_ptr<int64_t>(), flat.data_ptr<int64_t>() + flat.numel()};
}

std::string error_of(const std::vector<EncoderSpec>& specs, const ArrowColumns& columns) {
  try {
    encode(specs, columns);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

EncoderSpec numeric(double mean = 0, double deviation = 1, bool flag = false) {
  EncoderSpec spec{.column = "x"};
  spec.mean = mean;
  spec.deviation = deviation;
  spec.missing_flag = flag;
  return spec;
}

EncoderSpec categorical(std::vector<std::string> words) {
  EncoderSpec spec{.column = "x", .kind = EncoderKind::kCategorical};
  spec.vocabulary = std::move(words);
  return spec;
}

template <typename T>
void expect_number(const std::string& format) {
  const auto batch =
      encode({numeric(1, 2)}, {testing::numbers<T>("x", format, {T{1}, std::nullopt, T{5}})});
  EXPECT_EQ(floats(batch.numeric), (std::vector<float>{0, 0, 2})) << format;
}

TEST(Encoder, StandardisesEveryNumberType) {
  expect_number<int8_t>("c");
  expect_number<uint8_t>("C");
  expect_number<int16_t>("s");
  expect_number<uint16_t>("S");
  expect_number<int32_t>("i");
  expect_number<uint32_t>("I");
  expect_number<int64_t>("l");
  expect_number<uint64_t>("L");
  expect_number<float>("f");
  expect_number<double>("g");
  const auto flags = encode({numeric()}, {testing::booleans("x", {true, std::nullopt, false})});
  EXPECT_EQ(floats(flags.numeric), (std::vector<float>{1, 0, 0}));
  const auto decimals =
      encode({numeric()},
             {testing::numbers<__int128>("x", "d:20,2", {__int128{-150}, __int128{1} << 66})});
  EXPECT_FLOAT_EQ(floats(decimals.numeric)[0], -1.5f);
  EXPECT_FLOAT_EQ(floats(decimals.numeric)[1], static_cast<float>(std::ldexp(1.0, 66) / 100));
}

TEST(Encoder, MissingNumbersAreZeroAndFlagged) {
  const double inf = std::numeric_limits<double>::infinity();
  const auto batch =
      encode({numeric(10, 1, true)},
             {testing::numbers<double>("x", "g", {12.0, std::nullopt, std::nan(""), inf, -inf})});
  EXPECT_EQ(floats(batch.numeric), (std::vector<float>{2, 0, 0, 1, 0, 1, 0, 1, 0, 1}));
}

TEST(Encoder, WordsHaveIdsInEveryStringType) {
  const std::vector<std::optional<std::string>> values = {
      "b", "a", std::nullopt, "never seen", "", "a word of more than twelve bytes"};
  const auto spec = categorical({"a", "b", "a word of more than twelve bytes", ""});
  for (const char* format : {"u", "U", "vu"}) {
    const auto batch = encode({spec}, {testing::texts("x", format, values)});
    EXPECT_EQ(integers(batch.categorical), (std::vector<int64_t>{3, 2, 1, 0, 5, 4})) << format;
  }
  auto column =
      testing::numbers<int16_t>("x", "s", {int16_t{1}, int16_t{0}, std::nullopt, int16_t{2}});
  column.dictionary =
      std::make_shared<ArrowColumn>(testing::texts("", "u", {"a", "b", std::nullopt}));
  EXPECT_EQ(integers(encode({spec}, {column}).categorical), (std::vector<int64_t>{3, 2, 1, 1}));
}

TEST(Encoder, IntegersAndBooleansAreWordsByTheirText) {
  const auto near = encode({categorical({"7", "-3"})},
                           {testing::numbers<int32_t>("x", "i", {-3, 7, 8, std::nullopt})});
  EXPECT_EQ(integers(near.categorical), (std::vector<int64_t>{3, 2, 0, 1}));
  const auto far = encode({categorical({"9000000000", "-3"})},
                          {testing::numbers<int64_t>("x", "l", {-3, 9000000000, 8})});
  EXPECT_EQ(integers(far.categorical), (std::vector<int64_t>{3, 2, 0}));
  const auto flags = encode({categorical({"true", "false"})},
                            {testing::booleans("x", {true, false, std::nullopt})});
  EXPECT_EQ(integers(flags.categorical), (std::vector<int64_t>{2, 3, 1}));
}

TEST(Encoder, HashesTextAndIntegersAlike) {
  EncoderSpec spec{.column = "x", .kind = EncoderKind::kHashed};
  spec.buckets = 1000;
  const auto text = encode({spec}, {testing::texts("x", "u", {"17", "abc", std::nullopt})});
  const auto number = encode({spec}, {testing::numbers<int64_t>("x", "l", {17})});
  EXPECT_EQ(integers(text.categorical)[0], integers(number.categorical)[0]);
  EXPECT_EQ(integers(text.categorical)[1], 2 + int64_t(0x44bc2cf5ad770999 % 1000));  // XXH64("abc")
  EXPECT_EQ(integers(text.categorical)[2], 1);
}

TEST(Encoder, TakesPartsOfDates) {
  const auto part = [](DatePart which, const ArrowColumn& column) {
    EncoderSpec spec{.column = "x", .kind = EncoderKind::kDate};
    spec.part = which;
    return integers(encode({spec}, {column}).categorical);
  };
  // 2013-01-01 (a Tuesday), 1969-12-31 (a Wednesday), 2024-02-29 (a Thursday).
  const auto days = testing::numbers<int32_t>("x", "tdD", {15706, -1, 19782, std::nullopt});
  EXPECT_EQ(part(DatePart::kMonth, days), (std::vector<int64_t>{2, 13, 3, 1}));
  EXPECT_EQ(part(DatePart::kDayOfMonth, days), (std::vector<int64_t>{2, 32, 30, 1}));
  EXPECT_EQ(part(DatePart::kDayOfWeek, days), (std::vector<int64_t>{3, 4, 5, 1}));
  for (const auto& [format, units] : {std::pair<std::string, int64_t>{"tss:", 1},
                                      {"tsm:", 1000},
                                      {"tsu:UTC", 1000000},
                                      {"tsn:", 1000000000}}) {
    const auto times = testing::numbers<int64_t>("x", format, {3 * 3600 * units, -1});
    EXPECT_EQ(part(DatePart::kHour, times), (std::vector<int64_t>{5, 25})) << format;
    EXPECT_EQ(part(DatePart::kMonth, times), (std::vector<int64_t>{2, 13})) << format;
  }
}

TEST(Encoder, ReadsLabelsOfEveryTask) {
  EncoderSpec label{.column = "x", .kind = EncoderKind::kLabel};
  const auto binary = encode({label}, {testing::booleans("x", {true, false})});
  EXPECT_EQ(floats(binary.label), (std::vector<float>{1, 0}));
  label.vocabulary = {"no", "yes"};
  const auto words = encode({label}, {testing::texts("x", "u", {"yes", "no"})});
  EXPECT_EQ(floats(words.label), (std::vector<float>{1, 0}));
  label.task = Task::kMulticlass;
  label.vocabulary = {"no", "maybe", "yes"};
  const auto classes = encode({label}, {testing::texts("x", "u", {"yes", "no", "maybe"})});
  EXPECT_EQ(integers(classes.label), (std::vector<int64_t>{2, 0, 1}));
  label = {.column = "x",
           .kind = EncoderKind::kLabel,
           .mean = 1,
           .deviation = 2,
           .task = Task::kRegression};
  const auto value = encode({label}, {testing::numbers<double>("x", "g", {5.0})});
  EXPECT_EQ(floats(value.label), (std::vector<float>{2}));
}

TEST(Encoder, ReadsSeveralLabels) {
  EncoderSpec first{.column = "a", .kind = EncoderKind::kLabel, .task = Task::kMultilabel};
  EncoderSpec second = first;
  second.column = "b";
  const auto batch = encode({first, second}, {testing::booleans("a", {true, false}),
                                              testing::numbers<int32_t>("b", "i", {1, 1})});
  EXPECT_EQ(batch.label.sizes(), (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(floats(batch.label), (std::vector<float>{1, 1, 0, 1}));
  EXPECT_NE(error_of({first}, {testing::numbers<int32_t>("a", "i", {2})}).find("it is 0 or 1"),
            std::string::npos);
}

TEST(Encoder, GroupsOfARankingAreNumbers) {
  const EncoderSpec label{.column = "r", .kind = EncoderKind::kLabel, .task = Task::kRanking};
  const EncoderSpec group{.column = "q", .kind = EncoderKind::kGroup};
  const auto of = [&](const ArrowColumn& column) {
    return encode({label, group}, {testing::numbers<double>("r", "g", {2, 0, 1}), column}).label;
  };
  const auto words = of(testing::texts("q", "u", {"17", "b", "17"}));
  EXPECT_EQ(words.sizes(), (std::vector<int64_t>{3, 3}));
  EXPECT_EQ(floats(words.select(1, 0)), (std::vector<float>{2, 0, 1}));
  EXPECT_TRUE(torch::equal(words[0].slice(0, 1), words[2].slice(0, 1)));
  EXPECT_FALSE(torch::equal(words[0].slice(0, 1), words[1].slice(0, 1)));
  EXPECT_TRUE(torch::equal(words[0], of(testing::numbers<int64_t>("q", "l", {17, 2, 3}))[0]));
  EXPECT_NE(error_of({label, group}, {testing::numbers<double>("r", "g", {1}),
                                      testing::texts("q", "u", {std::nullopt})})
                .find("group `q` is null in 1 of 1"),
            std::string::npos);
  EXPECT_EQ(encoders_from_json(encoders_to_json({label, group})),
            (std::vector<EncoderSpec>{label, group}));
}

EncoderSpec sequence(std::vector<std::string> words, int64_t length) {
  EncoderSpec spec{.column = "x", .kind = EncoderKind::kWordSequence};
  if (words.empty()) spec.kind = EncoderKind::kNumberSequence;
  spec.vocabulary = std::move(words);
  spec.length = length;
  return spec;
}

TEST(Encoder, KeepsTheLastElementsOfArrays) {
  // [a b c d], null, [], [null e a]
  const std::vector<std::optional<int64_t>> lengths = {4, std::nullopt, 0, 3};
  const auto words = testing::texts("element", "u", {"a", "b", "c", "d", std::nullopt, "e", "a"});
  for (const auto* format : {"+l", "+L"}) {
    SCOPED_TRACE(format);
    const auto batch =
        encode({sequence({"d", "c", "b", "a"}, 3)}, {testing::lists("x", format, lengths, words)});
    ASSERT_EQ(batch.sequences.size(), 1u);
    EXPECT_EQ(batch.rows(), 4);
    EXPECT_EQ(integers(batch.sequences[0].lengths), (std::vector<int64_t>{3, 0, 0, 3}));
    EXPECT_EQ(integers(batch.sequences[0].values),
              (std::vector<int64_t>{4, 3, 2, 0, 0, 0, 0, 0, 0, 1, 0, 5}));
  }
  auto numbers = sequence({}, 5);
  numbers.mean = 1;
  numbers.deviation = 2;
  const auto batch = encode(
      {numbers, sequence({}, 1)},
      {testing::lists("x", "+w:2", {2, 2, 2},
                      testing::numbers<double>("element", "g", {1, 5, std::nullopt, 3, 7, NAN}))});
  EXPECT_EQ(floats(batch.sequences[0].values), (std::vector<float>{0, 2, 0, 1, 3, 0}));
  EXPECT_EQ(floats(batch.sequences[1].values), (std::vector<float>{5, 3, 0}));
  EXPECT_EQ(integers(batch.sequences[1].lengths), (std::vector<int64_t>{1, 1, 1}));
}

TEST(Encoder, SequencesAreAsLongAsTheirBatchNeeds) {
  std::vector<std::optional<int64_t>> lengths(3000, 1), elements(3002);
  lengths[2500] = 3;  // beyond the block that is encoded at once
  for (size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<int64_t>(i % 5);
  const auto column =
      testing::lists("x", "+l", lengths, testing::numbers<int64_t>("element", "l", elements));
  EncoderSpec spec = sequence({"0", "1", "2", "3", "4"}, 100);
  const auto batch = encode({spec}, {column});
  EXPECT_EQ(batch.sequences[0].values.sizes(), (std::vector<int64_t>{3000, 3}));
  EXPECT_EQ(integers(batch.sequences[0].values[2500]), (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(integers(batch.sequences[0].values[2501]), (std::vector<int64_t>{5, 0, 0}));
  const auto empty =
      testing::lists("x", "+l", {0, std::nullopt}, testing::numbers<int64_t>("element", "l", {}));
  EXPECT_EQ(encode({spec}, {empty}).sequences[0].values.sizes(), (std::vector<int64_t>{2, 1}));
}

TEST(Encoder, SequencesHonourOffsets) {
  const ArrowColumns columns = {testing::lists(
      "x", "+l", {1, 2, 1, 1}, testing::texts("element", "u", {"a", "b", "a", "b", "b"}))};
  ArrowSchemaHandle schema;
  *schema.out() = testing::struct_schema(columns);
  ArrowArray array = testing::struct_array(columns);
  array.offset = 1;
  array.length = 2;
  array.children[0]->offset = 1;
  array.children[0]->length = 3;
  const ArrowBatch batch(array);
  const auto tensors = Encoder({sequence({"a", "b"}, 4)}, *schema.get()).encode(*batch.get());
  EXPECT_EQ(integers(tensors.sequences[0].values), (std::vector<int64_t>{3, 3}));
}

TEST(Encoder, TextsAreTheTokensOfTheirTokenizer) {
  // [CLS] the cat sat [SEP], cut to four; a null is an empty text.
  EncoderSpec text{.column = "x", .kind = EncoderKind::kText};
  text.tokenizer = FIRESTEEL_SOURCE_DIR "/tests/data/bert/sentences/tokenizer.json";
  text.length = 4;
  text.buckets = 16;
  for (const auto* format : {"u", "U", "vu"}) {
    const auto batch = encode({text}, {testing::texts("x", format, {"The cat sat", std::nullopt})});
    EXPECT_EQ(integers(batch.sequences[0].lengths), (std::vector<int64_t>{4, 2}));
    EXPECT_EQ(integers(batch.sequences[0].values), (std::vector<int64_t>{2, 4, 5, 3, 2, 3, 0, 0}));
  }
  EXPECT_NE(error_of({text}, {testing::numbers<int32_t>("x", "i", {1})}).find("needs strings"),
            std::string::npos);
  text.buckets = 5;
  EXPECT_NE(error_of({text}, {testing::texts("x", "u", {"cat"})}).find("beyond its vocabulary"),
            std::string::npos);
  EXPECT_EQ(encoders_from_json(encoders_to_json({text})), std::vector<EncoderSpec>{text});
}

TEST(Encoder, VectorsAreManyNumbers) {
  EncoderSpec vector{.column = "x", .kind = EncoderKind::kVector};
  vector.length = 2;
  vector.mean = 1;
  vector.deviation = 2;
  const auto column = [](std::vector<std::optional<int64_t>> lengths) {
    return testing::lists("x", "+l", lengths,
                          testing::numbers<float>("element", "f", {1, 5, 3, std::nullopt}));
  };
  const auto batch = encode({vector}, {column({2, std::nullopt, 2})});
  EXPECT_EQ(floats(batch.numeric), (std::vector<float>{0, 2, 0, 0, 1, 0}));
  EXPECT_NE(error_of({vector}, {column({2, 1})}).find("has 1 numbers"), std::string::npos);
  EXPECT_EQ(RecordLayout({vector}, false).names, (std::vector<std::string>{"x[0]", "x[1]"}));
  EXPECT_EQ(encoders_from_json(encoders_to_json({vector})), std::vector<EncoderSpec>{vector});
}

TEST(Encoder, ImagesThatCannotBeReadAreLeftOut) {
  EncoderSpec image{.column = "x", .kind = EncoderKind::kImage};
  image.length = 4;
  image.resize = 6;
  image.interpolation = "bilinear";
  const auto file = read_file(FIRESTEEL_SOURCE_DIR "/tests/data/images/rgb.png");
  const auto numbers = testing::numbers<float>("n", "f", {0, 1, 2, 3});
  auto files = testing::texts("x", "u", {file, "no image", std::nullopt, file});
  files.format = "z";
  EncoderSpec number = numeric();
  number.column = "n";
  EXPECT_NE(
      error_of({image}, {files}).find("in 2 of 4 rows read together, the first of them row 2"),
      std::string::npos)
      << error_of({image}, {files});
  image.leave_out = true;
  ArrowSchemaHandle schema;
  const ArrowColumns columns = {numbers, files};
  *schema.out() = testing::struct_schema(columns);
  const ArrowBatch rows(testing::struct_array(columns));
  Encoder::LeftOut left_out;
  const auto batch = Encoder({number, image}, *schema.get()).encode(*rows.get(), &left_out);
  EXPECT_EQ(left_out.rows, (std::vector<int64_t>{1, 2}));
  EXPECT_FALSE(left_out.first.empty());
  EXPECT_EQ(floats(batch.numeric), (std::vector<float>{0, 3}));
  ASSERT_EQ(batch.images[0].sizes(), (std::vector<int64_t>{2, 3, 4, 4}));
  auto pixels = images::to_tensor(decode_image(std::as_bytes(std::span(file))));
  pixels = images::center_crop(images::resize(pixels, {6}), {4});
  EXPECT_TRUE(torch::equal(batch.images[0][1], pixels));
  EXPECT_EQ(encoders_from_json(encoders_to_json({image})), std::vector<EncoderSpec>{image});
}

TEST(Encoder, SaysWhatIsWrongWithSequences) {
  const auto texts = testing::texts("element", "u", {"a"});
  const auto list = testing::lists("x", "+l", {1}, texts);
  const auto says = [](const std::string& error, const std::string& part) {
    EXPECT_NE(error.find(part), std::string::npos) << error;
  };
  says(error_of({sequence({"a"}, 3)}, {testing::texts("x", "u", {"a"})}), "needs an array");
  says(error_of({sequence({}, 3)}, {list}), "elements of this sequence are numbers");
  says(error_of({categorical({"a"})}, {list}), "an array is read as a sequence");
  says(error_of({sequence({"a"}, 3)}, {testing::lists("x", "+l", {1}, list)}),
       "arrays of arrays are not read");
  says(error_of({sequence({"a"}, 3)},
                {testing::lists("x", "+l", {1}, testing::numbers<double>("element", "g", {1.5}))}),
       "strings, integers or booleans");
}

TEST(Encoder, SaysWhatIsWrong) {
  EncoderSpec label{.column = "x", .kind = EncoderKind::kLabel};
  EXPECT_NE(error_of({label}, {testing::booleans("x", {true, std::nullopt, std::nullopt})})
                .find("in 2 of 3 rows"),
            std::string::npos);
  EXPECT_NE(
      error_of({label}, {testing::numbers<int32_t>("x", "i", {2})}).find("none of its classes"),
      std::string::npos);
  EXPECT_NE(error_of({numeric()}, {testing::texts("x", "u", {"a"})}).find("list it as categorical"),
            std::string::npos);
  EXPECT_NE(error_of({numeric()}, {testing::texts("xx", "u", {"a"})}).find("Did you mean `xx`?"),
            std::string::npos);
  EXPECT_NE(error_of({categorical({})}, {testing::numbers<double>("x", "g", {1.0})})
                .find("categorical feature needs"),
            std::string::npos);
}

TEST(Encoder, HonoursOffsetsAndAbsentLabels) {
  const ArrowColumns columns = {testing::texts("x", "u", {"a", "b", std::nullopt, "a"})};
  ArrowSchemaHandle schema;
  *schema.out() = testing::struct_schema(columns);
  ArrowArray array = testing::struct_array(columns);
  array.offset = 1;
  array.length = 2;
  array.children[0]->offset = 1;
  array.children[0]->length = 3;
  const ArrowBatch batch(array);
  EncoderSpec label{.column = "y", .kind = EncoderKind::kLabel};
  const auto tensors =
      Encoder({categorical({"a", "b"}), label}, *schema.get(), false).encode(*batch.get());
  EXPECT_EQ(integers(tensors.categorical), (std::vector<int64_t>{1, 2}));
  EXPECT_FALSE(tensors.label.defined());
}

TEST(Encoder, SpecsSurviveJson) {
  EncoderSpec hashed{.column = "h", .kind = EncoderKind::kHashed, .buckets = 17};
  EncoderSpec date{.column = "d", .kind = EncoderKind::kDate, .part = DatePart::kHour};
  EncoderSpec label{.column = "y",
                    .kind = EncoderKind::kLabel,
                    .vocabulary = {"é", "b"},
                    .task = Task::kMulticlass};
  const EncoderSpec several{.column = "z", .kind = EncoderKind::kLabel, .task = Task::kMultilabel};
  const std::vector<EncoderSpec> specs = {numeric(0.1, 3, true),
                                          categorical({"a", "\"b\""}),
                                          hashed,
                                          date,
                                          label,
                                          several,
                                          sequence({"a"}, 7),
                                          sequence({}, 8)};
  EXPECT_EQ(encoders_from_json(encoders_to_json(specs)), specs);
  EXPECT_THROW(encoders_from_json("[{}]"), Error);
  EXPECT_THROW(encoders_from_json("[{"), Error);
}

}  // namespace
}  // namespace firesteel
