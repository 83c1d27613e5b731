// Packing of Arrow columns into records, one column at a time: the types and the kind of a column
// are looked at once per column and batch, never per value.
#include "tensor/encoder.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <mutex>
#include <span>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "images/decode.h"
#include "tensor/arrow_values.h"
#include "tensor/image_functions.h"
#include "text/tokenizer.h"

namespace firesteel {

namespace {

/// How the values of an Arrow column are stored.
enum class Storage {
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kHalf,
  kFloat,
  kDouble,
  kBoolean,
  kDecimal,
  kText,
  kLargeText,
  kTextView,
  kDateDays,
  kDateMilliseconds,
  kTimestamp,
  kBytes,
  kLargeBytes,
  kBytesView,
  kNull,
};

/// How the elements of an array column are found.
enum class ListStorage { kNone, kList, kLargeList, kFixedSize };

struct ListType {
  ListStorage storage = ListStorage::kNone;
  int64_t size = 0;  // kFixedSize: elements per row
};

ListType list_type(std::string_view format) {
  if (format == "+l") return {ListStorage::kList};
  if (format == "+L") return {ListStorage::kLargeList};
  if (!format.starts_with("+w:")) return {};
  ListType type{ListStorage::kFixedSize};
  std::from_chars(format.data() + 3, format.data() + format.size(), type.size);
  return type;
}

/// The elements [first, last) of row i, both without the offset of the elements' array.
std::pair<int64_t, int64_t> elements_of(const ListType& type, const ArrowArray& array, int64_t i) {
  const auto between = [&](const auto* offsets) {
    return std::pair<int64_t, int64_t>(offsets[i], offsets[i + 1]);
  };
  switch (type.storage) {
    case ListStorage::kList:
      return between(static_cast<const int32_t*>(array.buffers[1]));
    case ListStorage::kLargeList:
      return between(static_cast<const int64_t*>(array.buffers[1]));
    case ListStorage::kFixedSize:
      return {i * type.size, (i + 1) * type.size};
    case ListStorage::kNone:
      break;
  }
  return {0, 0};
}

bool is_array(EncoderKind kind) {
  return kind == EncoderKind::kWordSequence || kind == EncoderKind::kNumberSequence ||
         kind == EncoderKind::kVector;
}

struct ColumnType {
  Storage storage = Storage::kNull;
  double decimal_scale = 1;
  int64_t units_per_second = 1;

  bool is_text() const { return storage >= Storage::kText && storage <= Storage::kTextView; }
  bool is_bytes() const { return storage >= Storage::kBytes && storage <= Storage::kBytesView; }
  bool is_integer() const { return storage <= Storage::kUint64; }
  bool is_number() const { return storage <= Storage::kDecimal; }
  bool is_time() const { return storage >= Storage::kDateDays && storage <= Storage::kTimestamp; }
};

[[noreturn]] void unsuitable(const EncoderSpec& spec, std::string_view format,
                             std::string_view needed) {
  throw Error("TRAINING_DATA_INVALID", fmt::format("Column `{}` has the Arrow type '{}', and {}.",
                                                   spec.column, format, needed));
}

ColumnType column_type(const ArrowSchema& schema, const EncoderSpec& spec) {
  const std::string_view format = schema.format;
  if (format.size() == 1) {
    switch (format[0]) {
      case 'c':
        return {Storage::kInt8};
      case 's':
        return {Storage::kInt16};
      case 'i':
        return {Storage::kInt32};
      case 'l':
        return {Storage::kInt64};
      case 'C':
        return {Storage::kUint8};
      case 'S':
        return {Storage::kUint16};
      case 'I':
        return {Storage::kUint32};
      case 'L':
        return {Storage::kUint64};
      case 'e':
        return {Storage::kHalf};
      case 'f':
        return {Storage::kFloat};
      case 'g':
        return {Storage::kDouble};
      case 'b':
        return {Storage::kBoolean};
      case 'u':
        return {Storage::kText};
      case 'U':
        return {Storage::kLargeText};
      case 'z':
        return {Storage::kBytes};
      case 'Z':
        return {Storage::kLargeBytes};
      case 'n':
        return {Storage::kNull};
      default:
        break;
    }
  }
  if (format == "vu") return {Storage::kTextView};
  if (format == "vz") return {Storage::kBytesView};
  if (format == "tdD") return {Storage::kDateDays};
  if (format == "tdm") return {Storage::kDateMilliseconds, 1, 1000};
  if (format.starts_with("ts") && format.size() >= 4) {
    switch (format[2]) {
      case 's':
        return {Storage::kTimestamp, 1, 1};
      case 'm':
        return {Storage::kTimestamp, 1, 1'000};
      case 'u':
        return {Storage::kTimestamp, 1, 1'000'000};
      case 'n':
        return {Storage::kTimestamp, 1, 1'000'000'000};
      default:
        break;
    }
  }
  if (format.starts_with("d:")) {  // "d:precision,scale[,bits]"
    const auto comma = format.find(',');
    const auto second = format.find(',', comma + 1);
    if (comma != std::string_view::npos &&
        (second == std::string_view::npos || format.substr(second + 1) == "128")) {
      int scale = 0;
      std::from_chars(format.data() + comma + 1, format.data() + format.size(), scale);
      return {Storage::kDecimal, std::pow(10.0, scale)};
    }
  }
  unsuitable(spec, format,
             list_type(format).storage == ListStorage::kNone
                 ? "no feature can be made of that type; cast it to a number or a string"
             : is_array(spec.kind) ? "arrays of arrays are not read: flatten it"
                                   : "an array is read as a sequence or a vector: list it there");
}

/// Calls `use` with the reader of a column of numbers (booleans are 0 and 1).
template <typename Use>
void with_numbers(const ColumnType& type, const ArrowArray& array, Use use) {
  switch (type.storage) {
    case Storage::kInt8:
      return use(arrow::Fixed<int8_t>(array));
    case Storage::kInt16:
      return use(arrow::Fixed<int16_t>(array));
    case Storage::kInt32:
      return use(arrow::Fixed<int32_t>(array));
    case Storage::kInt64:
      return use(arrow::Fixed<int64_t>(array));
    case Storage::kUint8:
      return use(arrow::Fixed<uint8_t>(array));
    case Storage::kUint16:
      return use(arrow::Fixed<uint16_t>(array));
    case Storage::kUint32:
      return use(arrow::Fixed<uint32_t>(array));
    case Storage::kUint64:
      return use(arrow::Fixed<uint64_t>(array));
    case Storage::kHalf:
      return use(arrow::Half(array));
    case Storage::kFloat:
      return use(arrow::Fixed<float>(array));
    case Storage::kDouble:
      return use(arrow::Fixed<double>(array));
    case Storage::kBoolean:
      return use(arrow::Boolean(array));
    case Storage::kDecimal:
      return use(arrow::Decimal128(array, type.decimal_scale));
    case Storage::kDateDays:
      return use(arrow::Fixed<int32_t>(array));
    case Storage::kDateMilliseconds:
    case Storage::kTimestamp:
      return use(arrow::Fixed<int64_t>(array));
    case Storage::kText:
    case Storage::kLargeText:
    case Storage::kTextView:
    case Storage::kBytes:
    case Storage::kLargeBytes:
    case Storage::kBytesView:
    case Storage::kNull:
      return;
  }
}

/// The same for texts and bytes, which lie alike.
template <typename Use>
void with_texts(const ColumnType& type, const ArrowArray& array, Use use) {
  const auto is = [&](Storage text, Storage bytes) {
    return type.storage == text || type.storage == bytes;
  };
  if (is(Storage::kText, Storage::kBytes)) return use(arrow::Text<int32_t>(array));
  if (is(Storage::kLargeText, Storage::kLargeBytes)) return use(arrow::Text<int64_t>(array));
  if (is(Storage::kTextView, Storage::kBytesView)) return use(arrow::TextView(array));
}

/// Word → id, by open addressing. Holds views of the vocabulary.
class WordTable {
 public:
  explicit WordTable(const std::vector<std::string>& words)
      : slots_(std::bit_ceil(words.size() * 2 + 2)), mask_(slots_.size() - 1) {
    for (size_t i = 0; i < words.size(); ++i) {
      const uint64_t hash = XXH3_64bits(words[i].data(), words[i].size());
      size_t at = hash & mask_;
      while (slots_[at].id >= 0 && slots_[at].word != words[i]) at = (at + 1) & mask_;
      if (slots_[at].id < 0)
        slots_[at] = {words[i], static_cast<uint32_t>(hash >> 32), static_cast<int32_t>(i)};
    }
  }
  /// The index of a word in the vocabulary, or -1.
  int64_t find(std::string_view word) const {
    const uint64_t hash = XXH3_64bits(word.data(), word.size());
    for (size_t at = hash & mask_; slots_[at].id >= 0; at = (at + 1) & mask_) {
      if (slots_[at].check == static_cast<uint32_t>(hash >> 32) && slots_[at].word == word) {
        return slots_[at].id;
      }
    }
    return -1;
  }

 private:
  struct Slot {
    std::string_view word;
    uint32_t check = 0;
    int32_t id = -1;
  };
  std::vector<Slot> slots_;
  size_t mask_;
};

/// Integer → id: an array when the integers lie close together, else a hash table.
class IntegerTable {
 public:
  explicit IntegerTable(const std::vector<std::string>& words) {
    std::vector<std::pair<int64_t, int64_t>> numbers;
    for (size_t i = 0; i < words.size(); ++i) {
      int64_t number = 0;
      const char* end = words[i].data() + words[i].size();
      const auto [stop, code] = std::from_chars(words[i].data(), end, number);
      if (words[i] == "true" || words[i] == "false") {
        number = words[i] == "true";
      } else if (code != std::errc() || stop != end) {
        continue;  // No integer reads so; the id stays unused.
      }
      numbers.emplace_back(number, static_cast<int64_t>(i));
    }
    if (numbers.empty()) return;
    const auto [low, high] = std::minmax_element(numbers.begin(), numbers.end());
    low_ = low->first;
    const uint64_t range = static_cast<uint64_t>(high->first) - static_cast<uint64_t>(low_);
    if (range < (1u << 16)) {
      dense_.assign(range + 1, -1);
      for (const auto& [number, id] : numbers) dense_[number - low_] = static_cast<int32_t>(id);
    } else {
      sparse_.insert(numbers.begin(), numbers.end());
    }
  }
  int64_t find(int64_t number) const {
    const uint64_t place = static_cast<uint64_t>(number) - static_cast<uint64_t>(low_);
    if (place < dense_.size()) return dense_[place];
    if (sparse_.empty()) return -1;
    const auto found = sparse_.find(number);
    return found == sparse_.end() ? -1 : found->second;
  }

 private:
  int64_t low_ = 0;
  std::vector<int32_t> dense_;
  std::unordered_map<int64_t, int64_t> sparse_;
};

/// So many that two groups hardly meet, and few enough for two floats.
constexpr int64_t kGroupIds = (int64_t{1} << 48) - kFirstWordId;

int64_t hashed_id(std::string_view text, int64_t buckets) {
  return kFirstWordId +
         static_cast<int64_t>(XXH64(text.data(), text.size(), 0) % static_cast<uint64_t>(buckets));
}

/// An integer as the text that Spark's cast gives.
struct IntegerText {
  explicit IntegerText(int64_t number, bool boolean) {
    if (boolean) {
      view = number ? "true" : "false";
    } else {
      view = {buffer, static_cast<size_t>(std::to_chars(buffer, buffer + 24, number).ptr - buffer)};
    }
  }
  char buffer[24];
  std::string_view view;
};

int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

int64_t parts_of(DatePart part) {
  switch (part) {
    case DatePart::kMonth:
      return 12;
    case DatePart::kDayOfMonth:
      return 31;
    case DatePart::kDayOfWeek:
      return 7;
    case DatePart::kHour:
      return 24;
  }
  return 0;
}

/// The part, from 0. Calendar arithmetic of http://howardhinnant.github.io/date_algorithms.html.
int64_t date_part(int64_t seconds, DatePart part) {
  const int64_t days = floor_divide(seconds, 86400);
  if (part == DatePart::kHour) return (seconds - days * 86400) / 3600;
  if (part == DatePart::kDayOfWeek)
    return days - 7 * floor_divide(days + 3, 7) + 3;  // Monday is 0.
  const int64_t shifted = days + 719468;
  const int64_t era = floor_divide(shifted, 146097);
  const int64_t day_of_era = shifted - era * 146097;
  const int64_t year =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
  const int64_t month = (5 * day_of_year + 2) / 153;  // March is 0.
  if (part == DatePart::kDayOfMonth) return day_of_year - (153 * month + 2) / 5;
  return (month + 2) % 12;
}

uint32_t id_width(int64_t count) { return count <= 256 ? 1 : count <= 65536 ? 2 : 4; }

void store_id(std::byte* at, uint32_t width, int64_t id) {
  if (width == 1) {
    *at = static_cast<std::byte>(id);
  } else if (width == 2) {
    const auto value = static_cast<uint16_t>(id);
    std::memcpy(at, &value, 2);
  } else {
    const auto value = static_cast<uint32_t>(id);
    std::memcpy(at, &value, 4);
  }
}

int64_t load_id(const std::byte* at, uint32_t width) {
  if (width == 1) return static_cast<uint8_t>(*at);
  if (width == 2) {
    uint16_t value;
    std::memcpy(&value, at, 2);
    return value;
  }
  uint32_t value;
  std::memcpy(&value, at, 4);
  return value;
}

/// Bytes of a label in a record.
uint32_t label_width(const EncoderSpec& spec) {
  switch (spec.task) {
    case Task::kBinary:
    case Task::kMultilabel:
      return 1;
    case Task::kMulticlass:
      return id_width(static_cast<int64_t>(spec.vocabulary.size()));
    case Task::kRegression:
    case Task::kRanking:
      return 4;
    case Task::kRetrieval:
    case Task::kReconstruction:
      return 0;
  }
  return 0;
}

void store_float(std::byte* at, float value) { std::memcpy(at, &value, 4); }

}  // namespace

bool has_label(Task task) { return task != Task::kRetrieval && task != Task::kReconstruction; }

int64_t EncoderSpec::numeric_count() const {
  if (kind == EncoderKind::kVector) return length;
  return kind == EncoderKind::kNumeric ? (missing_flag ? 2 : 1) : 0;
}

bool EncoderSpec::is_sequence() const {
  return kind == EncoderKind::kWordSequence || kind == EncoderKind::kNumberSequence ||
         kind == EncoderKind::kText;
}

bool EncoderSpec::is_categorical() const {
  return kind == EncoderKind::kCategorical || kind == EncoderKind::kHashed ||
         kind == EncoderKind::kDate;
}

int64_t EncoderSpec::cardinality() const {
  switch (kind) {
    case EncoderKind::kCategorical:
    case EncoderKind::kWordSequence:
      return kFirstWordId + static_cast<int64_t>(vocabulary.size());
    case EncoderKind::kHashed:
      return kFirstWordId + buckets;
    case EncoderKind::kDate:
      return kFirstWordId + parts_of(part);
    case EncoderKind::kText:
      return buckets;
    case EncoderKind::kNumeric:
    case EncoderKind::kNumberSequence:
    case EncoderKind::kVector:
    case EncoderKind::kImage:
    case EncoderKind::kGroup:
    case EncoderKind::kLabel:
    case EncoderKind::kWeight:
      return 0;
  }
  return 0;
}

std::string EncoderSpec::feature_name() const {
  return kind == EncoderKind::kDate ? fmt::format("{}({})", date_part_name(part), column) : column;
}

RecordLayout::RecordLayout(const std::vector<EncoderSpec>& specs, bool with_label) {
  for (const auto& spec : specs) numeric_count += spec.numeric_count();
  uint32_t numeric_at = 0;
  auto offset = static_cast<uint32_t>(numeric_count * 4);
  std::vector<std::string> categorical_names;
  for (const auto& spec : specs) {
    Slot slot;
    if (spec.numeric_count() > 0) {
      slot = {numeric_at, static_cast<uint32_t>(spec.numeric_count() * 4)};
      numeric_at += slot.width;
      if (spec.kind == EncoderKind::kNumeric) names.push_back(spec.feature_name());
      if (spec.missing_flag) names.push_back(spec.column + " is missing");
      for (int64_t i = 0; spec.kind == EncoderKind::kVector && i < spec.length; ++i)
        names.push_back(fmt::format("{}[{}]", spec.column, i));
    } else if (spec.is_categorical()) {
      slot = {offset, id_width(spec.cardinality())};
      offset += slot.width;
      categorical.push_back(slot);
      cardinalities.push_back(spec.cardinality());
      categorical_names.push_back(spec.feature_name());
    } else if (spec.is_sequence()) {
      const uint32_t element = spec.cardinality() > 0 ? id_width(spec.cardinality()) : 4;
      slot = {offset, 4 + element * static_cast<uint32_t>(spec.length)};
      offset += slot.width;
      sequences.push_back({slot, element, spec.cardinality(), spec.length});
    } else if (spec.kind == EncoderKind::kImage) {
      slot = {offset, static_cast<uint32_t>(3 * spec.length * spec.length)};
      offset += slot.width;
      images.push_back({slot, spec.length});
    } else if (with_label && spec.kind == EncoderKind::kLabel && label_width(spec) > 0) {
      has_label = true;
      task = spec.task;
      slot = {offset, label_width(spec)};
      labels.push_back(slot);
      offset += slot.width;
    } else if (with_label && spec.kind == EncoderKind::kGroup) {
      group = slot = {offset, 8};
      offset += 8;
    } else if (with_label && spec.kind == EncoderKind::kWeight) {
      has_weight = true;
      weight = slot = {offset, 4};
      offset += 4;
    }
    slots.push_back(slot);
  }
  names.insert(names.end(), categorical_names.begin(), categorical_names.end());
  record_bytes = offset;
}

torch::Tensor SequenceBatch::packed() const {
  const auto place = torch::arange(values.size(1), lengths.options());
  return values.masked_select(place.unsqueeze(0) < lengths.unsqueeze(1));
}

Batch RecordLayout::make_batch(int64_t rows) const {
  Batch batch;
  batch.numeric = torch::empty({rows, numeric_count}, torch::kFloat32);
  batch.categorical = torch::empty({rows, static_cast<int64_t>(categorical.size())}, torch::kInt64);
  if (has_label) {
    std::vector<int64_t> shape = {rows};
    if (task == Task::kMultilabel) shape.push_back(static_cast<int64_t>(labels.size()));
    if (task == Task::kRanking) shape.push_back(3);
    batch.label = torch::empty(shape, task == Task::kMulticlass ? torch::kInt64 : torch::kFloat32);
  }
  if (has_weight) batch.weight = torch::empty({rows}, torch::kFloat32);
  return batch;
}

void RecordLayout::unpack(const std::byte* const* records, int64_t rows, Batch* batch) const {
  constexpr int64_t kAhead = 12;  // Records lie anywhere in memory: ask for them before their turn.
  auto* numeric = static_cast<float*>(batch->numeric.data_ptr());
  auto* ids = static_cast<int64_t*>(batch->categorical.data_ptr());
  void* label = has_label ? batch->label.data_ptr() : nullptr;
  auto* weights = has_weight ? static_cast<float*>(batch->weight.data_ptr()) : nullptr;
  const size_t numeric_bytes = static_cast<size_t>(numeric_count) * 4;
  const Slot* first = categorical.data();
  const Slot* last = first + categorical.size();
  for (int64_t row = 0; row < rows; ++row) {
    if (row + kAhead < rows) {
      __builtin_prefetch(records[row + kAhead]);
      __builtin_prefetch(records[row + kAhead] + record_bytes - 1);
    }
    const std::byte* record = records[row];
    if (numeric_bytes > 0) std::memcpy(numeric, record, numeric_bytes);
    numeric += numeric_count;
    for (const Slot* slot = first; slot != last; ++slot) {
      *ids++ = load_id(record + slot->offset, slot->width);
    }
    if (label) unpack_label(record, row, label);
    if (weights) std::memcpy(weights + row, record + weight.offset, 4);
  }
  batch->sequences.clear();
  for (const auto& sequence : sequences) {
    batch->sequences.push_back(unpack_sequence(sequence, records, rows));
  }
  batch->images.clear();
  for (const auto& image : images) {
    auto pixels = torch::empty({rows, 3, image.size, image.size}, torch::kUInt8);
    auto* to = pixels.data_ptr<uint8_t>();
    for (int64_t row = 0; row < rows; ++row, to += image.slot.width)
      std::memcpy(to, records[row] + image.slot.offset, image.slot.width);
    batch->images.push_back(std::move(pixels));
  }
}

SequenceBatch RecordLayout::unpack_sequence(const Sequence& sequence,
                                            const std::byte* const* records, int64_t rows) const {
  SequenceBatch batch;
  batch.lengths = torch::empty({rows}, torch::kInt64);
  auto* lengths = static_cast<int64_t*>(batch.lengths.data_ptr());
  int64_t longest = 1;
  for (int64_t row = 0; row < rows; ++row) {
    lengths[row] = load_id(records[row] + sequence.slot.offset, 4);
    longest = std::max(longest, lengths[row]);
  }
  const bool words = sequence.cardinality > 0;
  batch.values = torch::zeros({rows, longest}, words ? torch::kInt64 : torch::kFloat32);
  for (int64_t row = 0; row < rows; ++row) {
    const std::byte* from = records[row] + sequence.slot.offset + 4;
    if (!words) {
      std::memcpy(static_cast<float*>(batch.values.data_ptr()) + row * longest, from,
                  static_cast<size_t>(lengths[row]) * 4);
      continue;
    }
    auto* ids = static_cast<int64_t*>(batch.values.data_ptr()) + row * longest;
    for (int64_t i = 0; i < lengths[row]; ++i) {
      ids[i] = load_id(from + i * sequence.element_width, sequence.element_width);
    }
  }
  return batch;
}

void RecordLayout::unpack_label(const std::byte* record, int64_t row, void* to) const {
  const Slot& first = labels[0];
  switch (task) {
    case Task::kMulticlass:
      static_cast<int64_t*>(to)[row] = load_id(record + first.offset, first.width);
      return;
    case Task::kBinary:
    case Task::kMultilabel: {
      auto* at = static_cast<float*>(to) + row * static_cast<int64_t>(labels.size());
      for (const Slot& slot : labels) *at++ = static_cast<float>(record[slot.offset]);
      return;
    }
    case Task::kRegression:
      std::memcpy(static_cast<float*>(to) + row, record + first.offset, 4);
      return;
    case Task::kRanking: {
      auto* at = static_cast<float*>(to) + row * 3;
      std::memcpy(at, record + first.offset, 4);
      int64_t id = 0;
      if (group.width > 0) std::memcpy(&id, record + group.offset, 8);
      at[1] = static_cast<float>(id >> 24);
      at[2] = static_cast<float>(id & 0xffffff);
      return;
    }
    case Task::kRetrieval:
    case Task::kReconstruction:
      return;
  }
}

/// Rows that cannot be read, and why.
using Unread = std::map<int64_t, std::string>;

/// One column: its place in the batch, its type, and its tables.
struct Encoder::Column {
  EncoderSpec spec;
  int64_t place = 0;  // in the batch
  ColumnType type;
  ColumnType index_type;  // of a dictionary's indices
  ListType list;          // of a sequence, whose elements have the types above
  bool is_dictionary = false;
  RecordLayout::Slot slot;
  std::unique_ptr<WordTable> words;
  std::unique_ptr<IntegerTable> integers;
  std::unique_ptr<Tokenizer> tokenizer;
  size_t stride = 0;

  void encode(const ArrowArray& array, int64_t begin, int64_t count, std::byte* out,
              Unread* unread) const;
  void encode_numeric(const ArrowArray& array, int64_t begin, int64_t count, std::byte* out) const;
  void encode_label(const ArrowArray& array, int64_t begin, int64_t count, std::byte* out) const;
  void encode_weight(const ArrowArray& array, int64_t begin, int64_t count, std::byte* out) const;
  void encode_group(const ArrowArray& array, int64_t begin, int64_t count, std::byte* out) const;
  void encode_sequence(const ArrowArray& array, int64_t begin, int64_t count, std::byte* out) const;
  void encode_vector(const ArrowArray& array, int64_t begin, int64_t count, std::byte* out) const;
  void encode_text(const ArrowArray& array, int64_t begin, int64_t count, std::byte* out) const;
  void encode_images(const ArrowArray& array, int64_t begin, int64_t count, std::byte* out,
                     Unread* unread) const;
  template <typename Value, typename Read>
  void encode_elements(const ArrowArray& array, int64_t begin, int64_t count, std::byte* out,
                       Read read) const;
  template <typename Id>
  void encode_ids(const ArrowArray& array, int64_t begin, int64_t count, std::byte* out) const;
  /// Calls `take(row, id)` for each row, with `unknown` and `null` where there is no word.
  template <typename Take>
  void each_id(const ArrowArray& array, int64_t begin, int64_t count, int64_t first,
               int64_t unknown, int64_t null, Take take) const;
  void check_type(std::string_view format) const;
};

Encoder::Encoder(const std::vector<EncoderSpec>& specs, const ArrowSchema& schema, bool with_label)
    : layout_(specs, with_label) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < schema.n_children; ++i) names.emplace_back(schema.children[i]->name);
  for (size_t i = 0; i < specs.size(); ++i) {
    const auto& spec = specs[i];
    if (layout_.slots[i].width == 0) continue;  // A label that prediction does without.
    Column column;
    column.spec = spec;
    column.slot = layout_.slots[i];
    column.stride = layout_.record_bytes;
    const auto found = std::find(names.begin(), names.end(), spec.column);
    if (found == names.end()) {
      const std::string near = nearest_name(spec.column, names);
      throw Error("UNRESOLVED_COLUMN.WITH_SUGGESTION",
                  fmt::format("The rows have no column `{}`, which the model reads.{}", spec.column,
                              near.empty() ? "" : fmt::format(" Did you mean `{}`?", near)));
    }
    column.place = found - names.begin();
    const ArrowSchema& whole = *schema.children[column.place];
    if (is_array(spec.kind)) {
      column.list = list_type(whole.format);
      if (column.list.storage == ListStorage::kNone) {
        unsuitable(spec, whole.format, "this feature needs an array: list it otherwise");
      }
    }
    const ArrowSchema& child = is_array(spec.kind) ? *whole.children[0] : whole;
    column.is_dictionary = child.dictionary != nullptr;
    if (column.is_dictionary) column.index_type = column_type(child, spec);
    column.type = column_type(column.is_dictionary ? *child.dictionary : child, spec);
    column.check_type(column.is_dictionary ? child.dictionary->format : child.format);
    columns_.push_back(std::move(column));
    Column& kept = columns_.back();
    if (spec.kind == EncoderKind::kText) {
      kept.tokenizer = std::make_unique<Tokenizer>(spec.tokenizer);
      kept.tokenizer->set_padding(std::nullopt);
      kept.tokenizer->set_truncation(Truncation{.length_max = static_cast<uint32_t>(spec.length)});
    }
    // The table views words of the spec it lies beside; moving both leaves the words in place.
    if (kept.type.is_text()) {
      kept.words = std::make_unique<WordTable>(kept.spec.vocabulary);
    } else {
      kept.integers = std::make_unique<IntegerTable>(kept.spec.vocabulary);
    }
  }
}

Encoder::Encoder(Encoder&&) noexcept = default;
Encoder::~Encoder() = default;

void Encoder::Column::check_type(std::string_view format) const {
  if (type.storage == Storage::kNull) {
    unsuitable(spec, format, "all its values are null: leave it out");
  }
  if (is_dictionary && !type.is_text()) {
    unsuitable(spec, format, "dictionaries of anything but strings are not read: cast it");
  }
  switch (spec.kind) {
    case EncoderKind::kWordSequence:
      if (!type.is_text() && !type.is_integer() && type.storage != Storage::kBoolean) {
        unsuitable(spec, format, "the words of a sequence are strings, integers or booleans");
      }
      return;
    case EncoderKind::kNumberSequence:
      if (!type.is_number()) unsuitable(spec, format, "the elements of this sequence are numbers");
      return;
    case EncoderKind::kVector:
      if (!type.is_number()) unsuitable(spec, format, "the elements of a vector are numbers");
      return;
    case EncoderKind::kImage:
      if (!type.is_bytes()) {
        unsuitable(spec, format, "an image is the bytes of its file: BINARY");
      }
      return;
    case EncoderKind::kText:
      if (!type.is_text() || is_dictionary) {
        unsuitable(spec, format, "a text feature needs strings: cast it to string");
      }
      return;
    case EncoderKind::kNumeric:
    case EncoderKind::kWeight:
      if (!type.is_number()) {
        unsuitable(spec, format,
                   type.is_text() ? "a numeric feature needs numbers: list it as categorical, or "
                                    "cast it to double"
                                  : "a numeric feature needs numbers: list it as date");
      }
      return;
    case EncoderKind::kGroup:
      if (!type.is_text() && !type.is_integer() && type.storage != Storage::kBoolean) {
        unsuitable(spec, format, "groups are strings, integers or booleans: cast it");
      }
      return;
    case EncoderKind::kCategorical:
    case EncoderKind::kHashed:
      if (!type.is_text() && !type.is_integer() && type.storage != Storage::kBoolean) {
        unsuitable(spec, format,
                   "a categorical feature needs strings, integers or booleans: list it as numeric "
                   "or date, or cast it to string");
      }
      return;
    case EncoderKind::kDate:
      if (!type.is_time()) unsuitable(spec, format, "a date feature needs a date or a timestamp");
      if (spec.part == DatePart::kHour && type.storage == Storage::kDateDays) {
        unsuitable(spec, format, "a date has no hour: use a timestamp");
      }
      return;
    case EncoderKind::kLabel:
      if (spec.task == Task::kMulticlass || !spec.vocabulary.empty()) {
        if (!type.is_text() && !type.is_integer() && type.storage != Storage::kBoolean) {
          unsuitable(spec, format, "classes are strings, integers or booleans: cast it");
        }
      } else if (!type.is_number()) {
        unsuitable(spec, format, "this label must be a number");
      }
      return;
  }
}

Encoder::LeftOut Encoder::encode(const ArrowArray& batch, int64_t begin, int64_t count,
                                 std::byte* out) const {
  // Blocks that stay in the cache while every column writes into them.
  constexpr int64_t kBlock = 1024;
  LeftOut left_out;
  for (int64_t done = 0; done < count; done += kBlock) {
    const int64_t rows = std::min(kBlock, count - done);
    Unread unread;  // of the block
    for (const auto& column : columns_) {
      column.encode(*batch.children[column.place], batch.offset + begin + done, rows, out, &unread);
    }
    int64_t kept = rows;
    for (auto row = unread.rbegin(); row != unread.rend(); ++row) {
      std::byte* at = out + row->first * layout_.record_bytes;
      std::memmove(at, at + layout_.record_bytes,
                   static_cast<size_t>(--kept - row->first) * layout_.record_bytes);
    }
    for (const auto& [row, why] : unread) {
      if (left_out.rows.empty()) left_out.first = why;
      left_out.rows.push_back(begin + done + row);
    }
    out += kept * layout_.record_bytes;
  }
  return left_out;
}

Batch Encoder::encode(const ArrowArray& batch, LeftOut* left_out) const {
  const auto bytes =
      std::make_unique_for_overwrite<std::byte[]>(batch.length * layout_.record_bytes + 1);
  auto without = encode(batch, 0, batch.length, bytes.get());
  const auto rows = batch.length - static_cast<int64_t>(without.rows.size());
  std::vector<const std::byte*> records(rows);
  for (int64_t i = 0; i < rows; ++i) records[i] = bytes.get() + i * layout_.record_bytes;
  Batch tensors = layout_.make_batch(rows);
  layout_.unpack(records.data(), rows, &tensors);
  if (left_out) *left_out = std::move(without);
  return tensors;
}

void Encoder::Column::encode(const ArrowArray& array, int64_t begin, int64_t count, std::byte* out,
                             Unread* unread) const {
  begin += array.offset;
  switch (spec.kind) {
    case EncoderKind::kNumeric:
      return encode_numeric(array, begin, count, out + slot.offset);
    case EncoderKind::kLabel:
      return encode_label(array, begin, count, out + slot.offset);
    case EncoderKind::kWeight:
      return encode_weight(array, begin, count, out + slot.offset);
    case EncoderKind::kGroup:
      return encode_group(array, begin, count, out + slot.offset);
    case EncoderKind::kWordSequence:
    case EncoderKind::kNumberSequence:
      return encode_sequence(array, begin, count, out + slot.offset);
    case EncoderKind::kVector:
      return encode_vector(array, begin, count, out + slot.offset);
    case EncoderKind::kText:
      return encode_text(array, begin, count, out + slot.offset);
    case EncoderKind::kImage:
      return encode_images(array, begin, count, out + slot.offset, unread);
    case EncoderKind::kCategorical:
    case EncoderKind::kHashed:
    case EncoderKind::kDate:
      if (slot.width == 1) return encode_ids<uint8_t>(array, begin, count, out + slot.offset);
      if (slot.width == 2) return encode_ids<uint16_t>(array, begin, count, out + slot.offset);
      return encode_ids<uint32_t>(array, begin, count, out + slot.offset);
  }
}

void Encoder::Column::encode_numeric(const ArrowArray& array, int64_t begin, int64_t count,
                                     std::byte* out) const {
  const arrow::Validity validity(array);
  const double mean = spec.mean, factor = spec.deviation > 0 ? 1 / spec.deviation : 1;
  with_numbers(type, array, [&](const auto& value) {
    std::byte* at = out;
    for (int64_t i = begin; i < begin + count; ++i, at += stride) {
      const double scaled = (static_cast<double>(value(i)) - mean) * factor;
      const bool missing = !validity.valid(i) || !std::isfinite(scaled);
      store_float(at, missing ? 0.0f : static_cast<float>(scaled));
      if (spec.missing_flag) store_float(at + 4, missing ? 1.0f : 0.0f);
    }
  });
}

template <typename Take>
void Encoder::Column::each_id(const ArrowArray& array, int64_t begin, int64_t count, int64_t first,
                              int64_t unknown, int64_t null, Take take) const {
  const arrow::Validity validity(array);
  const auto id_of = [&](int64_t found) { return found < 0 ? unknown : first + found; };
  const bool hashed = spec.kind == EncoderKind::kHashed || spec.kind == EncoderKind::kGroup;
  const int64_t buckets = spec.kind == EncoderKind::kGroup ? kGroupIds : spec.buckets;
  const auto text_id = [&](std::string_view text) {
    return hashed ? hashed_id(text, buckets) : id_of(words->find(text));
  };
  if (is_dictionary) {
    // Ids of the dictionary's words once, then one look-up per row.
    const ArrowArray& dictionary = *array.dictionary;
    const arrow::Validity word_validity(dictionary);
    std::vector<int64_t> ids(dictionary.length, null);
    with_texts(type, dictionary, [&](const auto& text) {
      for (int64_t i = 0; i < dictionary.length; ++i) {
        const int64_t at = i + dictionary.offset;
        if (word_validity.valid(at)) ids[i] = text_id(text(at));
      }
    });
    with_numbers(index_type, array, [&](const auto& index) {
      for (int64_t i = 0; i < count; ++i) {
        const bool valid = validity.valid(begin + i);
        take(i, valid ? ids[static_cast<size_t>(index(begin + i))] : null);
      }
    });
  } else if (type.is_text()) {
    with_texts(type, array, [&](const auto& text) {
      for (int64_t i = 0; i < count; ++i) {
        take(i, validity.valid(begin + i) ? text_id(text(begin + i)) : null);
      }
    });
  } else if (spec.kind == EncoderKind::kDate) {
    const int64_t units = type.units_per_second;
    const bool days = type.storage == Storage::kDateDays;
    with_numbers(type, array, [&](const auto& value) {
      for (int64_t i = 0; i < count; ++i) {
        if (!validity.valid(begin + i)) {
          take(i, null);
          continue;
        }
        const auto time = static_cast<int64_t>(value(begin + i));
        take(i, first + date_part(days ? time * 86400 : floor_divide(time, units), spec.part));
      }
    });
  } else {
    const bool boolean = type.storage == Storage::kBoolean;
    with_numbers(type, array, [&](const auto& value) {
      for (int64_t i = 0; i < count; ++i) {
        if (!validity.valid(begin + i)) {
          take(i, null);
          continue;
        }
        const auto number = static_cast<int64_t>(value(begin + i));
        take(i, hashed ? hashed_id(IntegerText(number, boolean).view, buckets)
                       : id_of(integers->find(number)));
      }
    });
  }
}

template <typename Id>
void Encoder::Column::encode_ids(const ArrowArray& array, int64_t begin, int64_t count,
                                 std::byte* out) const {
  each_id(array, begin, count, kFirstWordId, kUnknownId, kNullId, [&](int64_t i, int64_t id) {
    const auto narrow = static_cast<Id>(id);
    std::memcpy(out + i * stride, &narrow, sizeof(Id));
  });
}

void Encoder::Column::encode_sequence(const ArrowArray& array, int64_t begin, int64_t count,
                                      std::byte* out) const {
  if (spec.kind == EncoderKind::kNumberSequence) {
    const double mean = spec.mean, factor = spec.deviation > 0 ? 1 / spec.deviation : 1;
    encode_elements<float>(
        array, begin, count, out,
        [&](const ArrowArray& elements, int64_t first, int64_t number, float* to) {
          const arrow::Validity validity(elements);
          with_numbers(type, elements, [&](const auto& value) {
            for (int64_t i = 0; i < number; ++i) {
              const double scaled = (static_cast<double>(value(first + i)) - mean) * factor;
              const bool missing = !validity.valid(first + i) || !std::isfinite(scaled);
              to[i] = missing ? 0.0f : static_cast<float>(scaled);
            }
          });
        });
    return;
  }
  const auto read_ids = [&](const ArrowArray& elements, int64_t first, int64_t number, auto* to) {
    using Id = std::remove_pointer_t<decltype(to)>;
    each_id(elements, first, number, kFirstWordId, kUnknownId, kNullId,
            [&](int64_t i, int64_t id) { to[i] = static_cast<Id>(id); });
  };
  const uint32_t width = id_width(spec.cardinality());
  if (width == 1) return encode_elements<uint8_t>(array, begin, count, out, read_ids);
  if (width == 2) return encode_elements<uint16_t>(array, begin, count, out, read_ids);
  return encode_elements<uint32_t>(array, begin, count, out, read_ids);
}

/// The elements of all rows are read at once, then the last ones of each row copied. A null array
/// is an empty one.
template <typename Value, typename Read>
void Encoder::Column::encode_elements(const ArrowArray& array, int64_t begin, int64_t count,
                                      std::byte* out, Read read) const {
  if (count == 0) return;
  const ArrowArray& elements = *array.children[0];
  const arrow::Validity validity(array);
  const int64_t first = elements_of(list, array, begin).first;
  const int64_t number = elements_of(list, array, begin + count - 1).second - first;
  std::vector<Value> values(static_cast<size_t>(number));
  if (number > 0) read(elements, first + elements.offset, number, values.data());
  for (int64_t i = 0; i < count; ++i) {
    std::byte* at = out + i * stride;
    int64_t kept = 0, last = 0;
    if (validity.valid(begin + i)) {
      const auto [from, to] = elements_of(list, array, begin + i);
      kept = std::min(to - from, spec.length);
      last = to - first;
    }
    store_id(at, 4, kept);
    if (kept == 0) continue;
    std::memcpy(at + 4, values.data() + (last - kept), static_cast<size_t>(kept) * sizeof(Value));
  }
}

/// A null array, and a null in one, are the mean.
void Encoder::Column::encode_vector(const ArrowArray& array, int64_t begin, int64_t count,
                                    std::byte* out) const {
  const ArrowArray& elements = *array.children[0];
  const arrow::Validity validity(array), element_validity(elements);
  const double mean = spec.mean, factor = spec.deviation > 0 ? 1 / spec.deviation : 1;
  with_numbers(type, elements, [&](const auto& value) {
    std::byte* at = out;
    for (int64_t i = begin; i < begin + count; ++i, at += stride) {
      if (!validity.valid(i)) {
        std::memset(at, 0, slot.width);
        continue;
      }
      const auto [from, to] = elements_of(list, array, i);
      if (to - from != spec.length) {
        throw Error("TRAINING_DATA_INVALID",
                    fmt::format("The vector `{}` has {} numbers in one row, and {} in others.",
                                spec.column, to - from, spec.length));
      }
      for (int64_t j = 0; j < spec.length; ++j) {
        const int64_t place = from + j + elements.offset;
        const double scaled = (static_cast<double>(value(place)) - mean) * factor;
        const bool missing = !element_validity.valid(place) || !std::isfinite(scaled);
        store_float(at + j * 4, missing ? 0.0f : static_cast<float>(scaled));
      }
    }
  });
}

/// A null is an empty text.
void Encoder::Column::encode_text(const ArrowArray& array, int64_t begin, int64_t count,
                                  std::byte* out) const {
  const arrow::Validity validity(array);
  const uint32_t width = id_width(spec.cardinality());
  with_texts(type, array, [&](const auto& text) {
    std::vector<TokenizerInput> texts;
    texts.reserve(static_cast<size_t>(count));
    for (int64_t i = begin; i < begin + count; ++i)
      texts.emplace_back(validity.valid(i) ? text(i) : std::string_view());
    const auto encodings = tokenizer->encode_batch(texts, {}, at::get_num_threads());
    std::byte* at = out;
    for (const auto& encoding : encodings) {
      store_id(at, 4, static_cast<int64_t>(encoding.size()));
      for (size_t i = 0; i < encoding.size(); ++i) {
        if (encoding.ids[i] >= spec.buckets)
          throw Error("INVALID_ARTIFACT",
                      fmt::format("{} gives the id {}, beyond its vocabulary of {}.",
                                  spec.tokenizer, encoding.ids[i], spec.buckets));
        store_id(at + 4 + i * width, width, encoding.ids[i]);
      }
      at += stride;
    }
  });
}

/// Each file is read and resized by one of the threads.
void Encoder::Column::encode_images(const ArrowArray& array, int64_t begin, int64_t count,
                                    std::byte* out, Unread* unread) const {
  const arrow::Validity validity(array);
  std::mutex mutex;
  with_texts(type, array, [&](const auto& bytes) {
    at::parallel_for(0, count, 1, [&](int64_t from, int64_t to) {
      const torch::NoGradGuard no_grad;
      for (int64_t i = from; i < to; ++i) {
        try {
          if (!validity.valid(begin + i)) throw Error("MALFORMED_IMAGE", "It is null.");
          const auto file = bytes(begin + i);
          auto pixels = images::to_tensor(decode_image(std::as_bytes(std::span(file))));
          pixels = images::resize(pixels, {spec.resize}, spec.interpolation);
          pixels = images::center_crop(pixels, {spec.length}).contiguous();
          std::memcpy(out + i * stride, static_cast<const uint8_t*>(pixels.const_data_ptr()),
                      slot.width);
        } catch (const Error& error) {
          const std::lock_guard lock(mutex);
          (*unread)[i] = error.message();
        }
      }
    });
  });
  if (unread->empty() || spec.leave_out) return;
  const auto& [row, why] = *unread->begin();
  throw Error("MALFORMED_IMAGE",
              fmt::format("The image `{}` cannot be read in {} of {} rows read together, the first "
                          "of them row {}: {} Leave such rows out with on_bad_image = \"skip\".",
                          spec.column, unread->size(), count, row + 1, why));
}

void Encoder::Column::encode_label(const ArrowArray& array, int64_t begin, int64_t count,
                                   std::byte* out) const {
  int64_t missing = 0, wrong = 0;
  if (spec.task == Task::kMulticlass || !spec.vocabulary.empty()) {
    each_id(array, begin, count, 0, -1, -2, [&](int64_t i, int64_t id) {
      missing += id == -2;
      wrong += id == -1;
      store_id(out + i * stride, slot.width, std::max<int64_t>(id, 0));
    });
  } else {
    const arrow::Validity validity(array);
    const double mean = spec.mean, factor = spec.deviation > 0 ? 1 / spec.deviation : 1;
    with_numbers(type, array, [&](const auto& value) {
      for (int64_t i = 0; i < count; ++i) {
        const double label = static_cast<double>(value(begin + i));
        const bool valid = validity.valid(begin + i) && std::isfinite(label);
        missing += !valid;
        if (slot.width == 1) {
          wrong += valid && label != 0 && label != 1;
          store_id(out + i * stride, 1, valid && label == 1);
        } else {
          store_float(out + i * stride, valid ? static_cast<float>((label - mean) * factor) : 0.0f);
        }
      }
    });
  }
  if (missing > 0) {
    throw Error(
        "TRAINING_DATA_INVALID",
        fmt::format("The label `{}` is null or not a number in {} of {} rows read together. "
                    "Filter such rows out before training.",
                    spec.column, missing, count));
  }
  if (wrong > 0) {
    throw Error(
        "TRAINING_DATA_INVALID",
        fmt::format("The label `{}` has values that are none of its classes in {} of {} rows "
                    "read together{}.",
                    spec.column, wrong, count, !spec.vocabulary.empty() ? "" : ": it is 0 or 1"));
  }
}

void Encoder::Column::encode_group(const ArrowArray& array, int64_t begin, int64_t count,
                                   std::byte* out) const {
  int64_t missing = 0;
  each_id(array, begin, count, kFirstWordId, kUnknownId, kNullId, [&](int64_t i, int64_t id) {
    missing += id == kNullId;
    std::memcpy(out + i * stride, &id, 8);
  });
  if (missing > 0) {
    throw Error("TRAINING_DATA_INVALID",
                fmt::format("The group `{}` is null in {} of {} rows read together. Filter such "
                            "rows out before training.",
                            spec.column, missing, count));
  }
}

void Encoder::Column::encode_weight(const ArrowArray& array, int64_t begin, int64_t count,
                                    std::byte* out) const {
  const arrow::Validity validity(array);
  int64_t wrong = 0;
  with_numbers(type, array, [&](const auto& value) {
    for (int64_t i = 0; i < count; ++i) {
      const auto weight = static_cast<float>(value(begin + i));
      wrong += !validity.valid(begin + i) || !std::isfinite(weight) || weight < 0;
      store_float(out + i * stride, weight);
    }
  });
  if (wrong > 0) {
    throw Error("TRAINING_DATA_INVALID",
                fmt::format("The weight `{}` is null, negative or not a number in {} rows.",
                            spec.column, wrong));
  }
}

}  // namespace firesteel
