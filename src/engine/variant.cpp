// The bytes of variants, read and written; paths, changes and types of the tree between.
#include "engine/variant.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "base/number_text.h"

namespace firesteel {

namespace {

using enum TypeKind;

// The low two bits of a value's first byte, and the type of a primitive in the six above.
enum BasicType { kPrimitive, kShortString, kObjectType, kArrayType };
enum Primitive {
  kNullType,
  kTrueType,
  kFalseType,
  kInt1,
  kInt2,
  kInt4,
  kInt8,
  kDoubleType,
  kDecimal4,
  kDecimal8,
  kDecimal16,
  kDateType,
  kTimestampType,
  kTimestampNtzType,
  kFloatType,
  kBinaryType,
  kLongString,
  kUuid = 20
};
constexpr size_t kShortStringMax = 63;
constexpr int kVersion = 1;

/// Bytes with checked bounds.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}

  uint64_t number(size_t at, size_t size) const {
    check(at, size);
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes_[at + i])) << (8 * i);
    }
    return value;
  }
  int64_t signed_number(size_t at, size_t size) const {
    const int unused = static_cast<int>(64 - 8 * size);
    return static_cast<int64_t>(number(at, size) << unused) >> unused;
  }
  std::string_view slice(size_t at, size_t size) const {
    check(at, size);
    return bytes_.substr(at, size);
  }

 private:
  void check(size_t at, size_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) throw MalformedVariant();
  }
  std::string_view bytes_;
};

class Decoder {
 public:
  Decoder(std::string_view value, std::string_view metadata) : value_(value), metadata_(metadata) {
    const auto header = metadata_.number(0, 1);
    if ((header & 0x0f) != kVersion) throw MalformedVariant();
    offset_size_ = (header >> 6) + 1;
    keys_ = metadata_.number(1, offset_size_);
  }

  VariantTree tree(size_t at, int level = 0) const {
    if (level > 1000) throw MalformedVariant();
    const auto header = value_.number(at, 1);
    const auto info = header >> 2;
    switch (header & 3) {
      case kPrimitive:
        return {.scalar = primitive(at, static_cast<int>(info))};
      case kShortString:
        return {.scalar = {.kind = kString, .bytes = std::string(value_.slice(at + 1, info))}};
      case kObjectType:
        return object(at, info, level);
      default:
        return array(at, info, level);
    }
  }

 private:
  std::string key(size_t id) const {
    if (id >= keys_) throw MalformedVariant();
    const size_t start = 1 + (keys_ + 2) * offset_size_;
    const auto from = metadata_.number(1 + (id + 1) * offset_size_, offset_size_),
               to = metadata_.number(1 + (id + 2) * offset_size_, offset_size_);
    if (to < from) throw MalformedVariant();
    return std::string(metadata_.slice(start + from, to - from));
  }

  VariantTree object(size_t at, uint64_t info, int level) const {
    const size_t offset_size = (info & 3) + 1, id_size = ((info >> 2) & 3) + 1,
                 size_bytes = info & 0x10 ? 4 : 1;
    const auto size = value_.number(at + 1, size_bytes);
    const size_t ids = at + 1 + size_bytes, offsets = ids + size * id_size,
                 data = offsets + (size + 1) * offset_size;
    VariantTree tree{.kind = VariantTree::kObject};
    for (size_t i = 0; i < size; ++i) {
      tree.fields.emplace_back(
          key(value_.number(ids + i * id_size, id_size)),
          this->tree(data + value_.number(offsets + i * offset_size, offset_size), level + 1));
    }
    return tree;
  }

  VariantTree array(size_t at, uint64_t info, int level) const {
    const size_t offset_size = (info & 3) + 1, size_bytes = info & 4 ? 4 : 1;
    const auto size = value_.number(at + 1, size_bytes);
    const size_t offsets = at + 1 + size_bytes, data = offsets + (size + 1) * offset_size;
    VariantTree tree{.kind = VariantTree::kArray};
    for (size_t i = 0; i < size; ++i) {
      tree.elements.push_back(
          this->tree(data + value_.number(offsets + i * offset_size, offset_size), level + 1));
    }
    return tree;
  }

  VariantScalar primitive(size_t at, int type) const {
    const auto integer = [&](TypeKind kind, size_t size) {
      return VariantScalar{.kind = kind, .integer = value_.signed_number(at + 1, size)};
    };
    const auto decimal = [&](size_t size) {
      VariantScalar out{.kind = kDecimal, .scale = static_cast<int>(value_.number(at + 1, 1))};
      out.unscaled = size < 16 ? static_cast<Wide>(value_.signed_number(at + 2, size))
                               : (static_cast<Wide>(value_.signed_number(at + 10, 8)) << 64) |
                                     static_cast<Wide>(value_.number(at + 2, 8));
      return out;
    };
    const auto bytes = [&](TypeKind kind) {
      return VariantScalar{.kind = kind,
                           .bytes = std::string(value_.slice(at + 5, value_.number(at + 1, 4)))};
    };
    switch (type) {
      case kNullType:
        return {};
      case kTrueType:
      case kFalseType:
        return {.kind = kBoolean, .integer = type == kTrueType};
      case kInt1:
        return integer(kLong, 1);
      case kInt2:
        return integer(kLong, 2);
      case kInt4:
        return integer(kLong, 4);
      case kInt8:
        return integer(kLong, 8);
      case kDecimal4:
        return decimal(4);
      case kDecimal8:
        return decimal(8);
      case kDecimal16:
        return decimal(16);
      case kDateType:
        return integer(kDate, 4);
      case kTimestampType:
        return integer(kTimestamp, 8);
      case kTimestampNtzType:
        return integer(kTimestampNtz, 8);
      case kDoubleType: {
        const auto bits = value_.number(at + 1, 8);
        VariantScalar out{.kind = kDouble};
        std::memcpy(&out.real, &bits, 8);
        return out;
      }
      case kFloatType: {
        const auto bits = static_cast<uint32_t>(value_.number(at + 1, 4));
        float single;
        std::memcpy(&single, &bits, 4);
        return {.kind = kFloat, .real = single};
      }
      case kBinaryType:
        return bytes(kBinary);
      case kLongString:
        return bytes(kString);
      case kUuid: {
        std::string text;
        const auto raw = value_.slice(at + 1, 16);
        for (size_t i = 0; i < 16; ++i) {
          text += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                              static_cast<unsigned char>(raw[i]));
        }
        return {.kind = kString, .bytes = text};
      }
      default:
        throw MalformedVariant();
    }
  }

  Bytes value_, metadata_;
  size_t offset_size_ = 1, keys_ = 0;
};

size_t width(uint64_t value) { return value <= 0xff ? 1 : value <= 0xffff ? 2 : 3; }

void put(std::string& out, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i));
}

class Encoder {
 public:
  void tree(const VariantTree& tree) {
    if (tree.kind == VariantTree::kScalar) return scalar(tree.scalar);
    const size_t start = out_.size();
    if (tree.kind == VariantTree::kArray) {
      std::vector<size_t> offsets;
      for (const auto& element : tree.elements) {
        offsets.push_back(out_.size() - start);
        this->tree(element);
      }
      return finish(start, {}, offsets, kArrayType);
    }
    struct Entry {
      std::string_view key;
      size_t id, offset;
    };
    std::vector<Entry> entries;
    for (const auto& [key, value] : tree.fields) {
      entries.push_back({key, id_of(key), out_.size() - start});
      this->tree(value);
    }
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.key < b.key; });
    std::vector<size_t> ids, offsets;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0 && entries[i].key == entries[i - 1].key) {
        throw DuplicateKey(std::string(entries[i].key));
      }
      ids.push_back(entries[i].id);
      offsets.push_back(entries[i].offset);
    }
    finish(start, ids, offsets, kObjectType);
  }

  Variant result() const {
    size_t size = 0;
    for (const auto& key : keys_) size += key.size();
    const size_t offset_size = width(std::max(size, keys_.size()));
    Variant out{.value = out_, .metadata = ""};
    put(out.metadata, kVersion | ((offset_size - 1) << 6), 1);
    put(out.metadata, keys_.size(), offset_size);
    size_t offset = 0;
    for (const auto& key : keys_) {
      put(out.metadata, offset, offset_size);
      offset += key.size();
    }
    put(out.metadata, offset, offset_size);
    for (const auto& key : keys_) out.metadata += key;
    return out;
  }

 private:
  size_t id_of(const std::string& key) {
    const auto [found, is_new] = ids_.try_emplace(key, keys_.size());
    if (is_new) keys_.push_back(key);
    return found->second;
  }

  /// Puts the header of an object or array before its data.
  void finish(size_t start, const std::vector<size_t>& ids, const std::vector<size_t>& offsets,
              BasicType type) {
    const size_t data = out_.size() - start, offset_size = width(data);
    const bool large = offsets.size() > 0xff;
    std::string header;
    if (type == kObjectType) {
      const size_t id_size = width(ids.empty() ? 0 : *std::max_element(ids.begin(), ids.end()));
      put(header, (large << 6) | ((id_size - 1) << 4) | ((offset_size - 1) << 2) | type, 1);
      put(header, offsets.size(), large ? 4 : 1);
      for (const auto id : ids) put(header, id, id_size);
    } else {
      put(header, (large << 4) | ((offset_size - 1) << 2) | type, 1);
      put(header, offsets.size(), large ? 4 : 1);
    }
    for (const auto offset : offsets) put(header, offset, offset_size);
    put(header, data, offset_size);
    out_.insert(start, header);
  }

  void primitive(Primitive type, uint64_t value = 0, size_t size = 0) {
    put(out_, type << 2, 1);
    put(out_, value, size);
  }

  void scalar(const VariantScalar& value) {
    const auto bits = static_cast<uint64_t>(value.integer);
    switch (value.kind) {
      case kBoolean:
        return primitive(value.integer ? kTrueType : kFalseType);
      case kLong:
        if (value.integer == static_cast<int8_t>(value.integer)) return primitive(kInt1, bits, 1);
        if (value.integer == static_cast<int16_t>(value.integer)) return primitive(kInt2, bits, 2);
        if (value.integer == static_cast<int32_t>(value.integer)) return primitive(kInt4, bits, 4);
        return primitive(kInt8, bits, 8);
      case kDate:
        return primitive(kDateType, bits, 4);
      case kTimestamp:
        return primitive(kTimestampType, bits, 8);
      case kTimestampNtz:
        return primitive(kTimestampNtzType, bits, 8);
      case kFloat: {
        const auto single = static_cast<float>(value.real);
        uint32_t word;
        std::memcpy(&word, &single, 4);
        return primitive(kFloatType, word, 4);
      }
      case kDouble: {
        uint64_t word;
        std::memcpy(&word, &value.real, 8);
        return primitive(kDoubleType, word, 8);
      }
      case kDecimal: {
        const auto digits =
            std::max<int64_t>(big_decimal(value.unscaled, value.scale).precision(), value.scale);
        const auto size = digits <= 9 ? 4 : digits <= 18 ? 8 : 16;
        primitive(size == 4   ? kDecimal4
                  : size == 8 ? kDecimal8
                              : kDecimal16,
                  static_cast<uint64_t>(value.scale), 1);
        put(out_, static_cast<uint64_t>(value.unscaled), std::min(size, 8));
        if (size == 16) put(out_, static_cast<uint64_t>(value.unscaled >> 64), 8);
        return;
      }
      case kString:
        if (value.bytes.size() <= kShortStringMax) {
          put(out_, (value.bytes.size() << 2) | kShortString, 1);
          out_ += value.bytes;
          return;
        }
        [[fallthrough]];
      case kBinary:
        primitive(value.kind == kString ? kLongString : kBinaryType, value.bytes.size(), 4);
        out_ += value.bytes;
        return;
      default:
        return primitive(kNullType);
    }
  }

  std::string out_;
  std::map<std::string, size_t> ids_;
  std::vector<std::string> keys_;
};

/// Trailing zeros behind the point say nothing.
BigDecimal stripped(const VariantScalar& value) {
  auto unscaled = value.unscaled;
  int scale = value.scale;
  for (; scale > 0 && unscaled % 10 == 0; --scale) unscaled /= 10;
  return big_decimal(unscaled, scale);
}

std::string plain_text(const BigDecimal& decimal) {
  std::string digits = decimal.digits;
  const auto scale = static_cast<size_t>(decimal.scale);
  if (scale > 0) {
    if (digits.size() <= scale) digits.insert(0, scale - digits.size() + 1, '0');
    digits.insert(digits.size() - scale, ".");
  }
  return (decimal.negative ? "-" : "") + digits;
}

VariantTree number_of_json(const JsonReader& reader) {
  const auto& text = reader.text();
  if (reader.token() == JsonToken::kInteger) {
    if (const auto integer = integer_of_text(text)) {
      return {.scalar = {.kind = kLong, .integer = *integer}};
    }
  }
  if (text.find_first_not_of("-.0123456789") == std::string::npos) {
    const auto decimal = BigDecimal::parse(text);
    if (decimal && decimal->scale <= 38 && decimal->precision() <= 38) {
      const auto scale = static_cast<int>(decimal->scale);
      return {
          .scalar = {.kind = kDecimal, .unscaled = *decimal->unscaled(38, scale), .scale = scale}};
    }
  }
  return {.scalar = {.kind = kDouble, .real = json_double(text)}};
}

void write_json(const VariantTree& tree, const Zone& zone, std::string& out) {
  if (tree.kind == VariantTree::kObject) {
    out += '{';
    for (const auto& [key, value] : tree.fields) {
      if (out.back() != '{' || &value != &tree.fields.front().second) out += ',';
      out += json_quoted(key) + ":";
      write_json(value, zone, out);
    }
    out += '}';
    return;
  }
  if (tree.kind == VariantTree::kArray) {
    out += '[';
    for (const auto& element : tree.elements) {
      if (&element != &tree.elements.front()) out += ',';
      write_json(element, zone, out);
    }
    out += ']';
    return;
  }
  const auto& value = tree.scalar;
  switch (value.kind) {
    case kBoolean:
      out += value.integer ? "true" : "false";
      return;
    case kLong:
      out += std::to_string(value.integer);
      return;
    case kFloat:
      out += json_number(static_cast<float>(value.real));
      return;
    case kDouble:
      out += json_number(value.real);
      return;
    case kDecimal:
      out += plain_text(stripped(value));
      return;
    case kString:
      out += json_quoted(value.bytes);
      return;
    case kBinary:
      out += json_quoted(base64_text(value.bytes));
      return;
    case kDate:
      out += json_quoted(date_text(value.integer));
      return;
    case kTimestampNtz:
      out += json_quoted(timestamp_text(value.integer));
      return;
    case kTimestamp: {
      const auto local = zone.to_local(value.integer);
      const auto offset = MomentPattern("xxx").format(local, (local - value.integer) / 1000000);
      out += json_quoted(timestamp_text(local) + offset);
      return;
    }
    default:
      out += "null";
  }
}

VariantTree* field_of(VariantTree& tree, const std::string& name) {
  for (auto& [key, value] : tree.fields) {
    if (key == name) return &value;
  }
  return nullptr;
}

/// The kind of value that has the step.
VariantTree::Kind kind_for(const VariantStep& step) {
  return step.name ? VariantTree::kObject : VariantTree::kArray;
}

/// The value at the step, made when it is missing and `create`; null when it is missing.
VariantTree* child(VariantTree& tree, const VariantPath& path, size_t at, bool create) {
  const auto& step = path[at];
  if (tree.kind != kind_for(step)) throw PathMismatch{at};
  if (step.name) {
    auto* found = field_of(tree, *step.name);
    if (!found && create) {
      tree.fields.emplace_back(*step.name, VariantTree{});
      found = &tree.fields.back().second;
    } else {
      create = false;
    }
    if (found && create && at + 1 < path.size()) found->kind = kind_for(path[at + 1]);
    return found;
  }
  const bool missing = step.index >= tree.elements.size();
  if (missing && !create) return nullptr;
  if (missing) tree.elements.resize(step.index + 1);
  auto* found = &tree.elements[step.index];
  if (missing && at + 1 < path.size()) found->kind = kind_for(path[at + 1]);
  return found;
}

}  // namespace

VariantTree read_variant(std::string_view value, std::string_view metadata) {
  return Decoder(value, metadata).tree(0);
}

Variant write_variant(const VariantTree& tree) {
  Encoder encoder;
  encoder.tree(tree);
  return encoder.result();
}

VariantTree variant_of_json(JsonReader& reader) {
  switch (reader.token()) {
    case JsonToken::kStartObject: {
      VariantTree tree{.kind = VariantTree::kObject};
      while (reader.next() != JsonToken::kEndObject) {
        auto key = reader.text();
        reader.next();
        tree.fields.emplace_back(std::move(key), variant_of_json(reader));
      }
      return tree;
    }
    case JsonToken::kStartArray: {
      VariantTree tree{.kind = VariantTree::kArray};
      while (reader.next() != JsonToken::kEndArray)
        tree.elements.push_back(variant_of_json(reader));
      return tree;
    }
    case JsonToken::kString:
      return {.scalar = {.kind = kString, .bytes = reader.text()}};
    case JsonToken::kInteger:
    case JsonToken::kDecimal:
      return number_of_json(reader);
    case JsonToken::kTrue:
    case JsonToken::kFalse:
      return {.scalar = {.kind = kBoolean, .integer = reader.token() == JsonToken::kTrue}};
    case JsonToken::kNull:
      return {};
    default:
      throw JsonError("no value");
  }
}

std::string variant_json(const VariantTree& tree, const Zone& zone) {
  std::string out;
  write_json(tree, zone, out);
  return out;
}

std::optional<VariantPath> variant_path(std::string_view text) {
  if (!text.starts_with('$')) return std::nullopt;
  text.remove_prefix(1);
  VariantPath path;
  while (!text.empty()) {
    const bool dot = text.starts_with('.');
    if (dot) {
      text.remove_prefix(1);
      const auto end = std::min(text.find_first_of(".["), text.size());
      if (end == 0) return std::nullopt;
      path.push_back({.name = std::string(text.substr(0, end))});
      text.remove_prefix(end);
      continue;
    }
    if (text.size() < 3 || text[0] != '[') return std::nullopt;
    const char quote = text[1];
    if (quote == '\'' || quote == '"') {
      const auto end = text.find(quote, 2);
      if (end == std::string_view::npos || end == 2 || text.substr(end + 1, 1) != "]") {
        return std::nullopt;
      }
      path.push_back({.name = std::string(text.substr(2, end - 2))});
      text.remove_prefix(end + 2);
      continue;
    }
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const auto digits = text.substr(1, end - 1);
    const auto index = integer_of_text(digits);
    if (!index || digits.find_first_not_of("0123456789") != std::string_view::npos ||
        *index > INT32_MAX) {
      return std::nullopt;
    }
    path.push_back({.name = std::nullopt, .index = static_cast<size_t>(*index)});
    text.remove_prefix(end + 1);
  }
  return path;
}

std::string path_text(const VariantPath& path, size_t steps) {
  std::string out = "$";
  for (size_t i = 0; i < steps; ++i) {
    out += path[i].name ? "." + *path[i].name : fmt::format("[{}]", path[i].index);
  }
  return out;
}

const VariantTree* find(const VariantTree& tree, const VariantPath& path) {
  const auto* at = &tree;
  for (size_t i = 0; i < path.size() && at; ++i) {
    if (at->kind != kind_for(path[i])) return nullptr;
    at = child(const_cast<VariantTree&>(*at), path, i, false);
  }
  return at;
}

void erase(VariantTree& tree, const VariantPath& path) {
  auto parent_path = path;
  parent_path.pop_back();
  auto* parent = const_cast<VariantTree*>(find(tree, parent_path));
  const auto& last = path.back();
  if (!parent || parent->kind != kind_for(last)) return;
  if (last.name) {
    std::erase_if(parent->fields, [&](const auto& field) { return field.first == *last.name; });
  } else if (last.index < parent->elements.size()) {
    parent->elements.erase(parent->elements.begin() + static_cast<int64_t>(last.index));
  }
}

void insert(VariantTree& tree, const VariantPath& path, VariantTree value) {
  auto* at = &tree;
  for (size_t i = 0; i + 1 < path.size(); ++i) at = child(*at, path, i, true);
  const auto& last = path.back();
  if (at->kind != kind_for(last)) throw PathMismatch{path.size() - 1};
  if (last.name) {
    if (field_of(*at, *last.name)) throw DuplicateKey(*last.name);
    at->fields.emplace_back(*last.name, std::move(value));
  } else {
    if (last.index > at->elements.size()) at->elements.resize(last.index);
    at->elements.insert(at->elements.begin() + static_cast<int64_t>(last.index), std::move(value));
  }
}

void set(VariantTree& tree, const VariantPath& path, VariantTree value, bool create) {
  auto* at = &tree;
  for (size_t i = 0; i < path.size() && at; ++i) at = child(*at, path, i, create);
  if (at) *at = std::move(value);
}

void append(VariantTree& tree, const VariantPath& path, VariantTree value) {
  auto* at = &tree;
  for (size_t i = 0; i < path.size() && at; ++i) at = child(*at, path, i, false);
  if (!at) return;
  if (at->kind != VariantTree::kArray) throw PathMismatch{path.size()};
  at->elements.push_back(std::move(value));
}

void strip_nulls(VariantTree& tree, bool arrays) {
  std::erase_if(tree.fields, [](const auto& field) { return field.second.is_null(); });
  if (arrays) std::erase_if(tree.elements, [](const auto& element) { return element.is_null(); });
  for (auto& [key, value] : tree.fields) strip_nulls(value, arrays);
  for (auto& element : tree.elements) strip_nulls(element, arrays);
}

DataType variant_type(const VariantTree& tree) {
  if (tree.kind == VariantTree::kObject) {
    Schema fields;
    for (const auto& [key, value] : tree.fields) fields.push_back({key, variant_type(value)});
    return struct_type(std::move(fields));
  }
  if (tree.kind == VariantTree::kArray) {
    auto element = make_type(kNull);
    for (const auto& value : tree.elements) {
      element = wider_variant_type(element, variant_type(value));
    }
    return array_type(element);
  }
  if (tree.scalar.kind != kDecimal) return make_type(tree.scalar.kind);
  const auto decimal = stripped(tree.scalar);
  return decimal_type(static_cast<int>(std::max(decimal.precision(), decimal.scale)),
                      static_cast<int>(decimal.scale));
}

DataType wider_variant_type(const DataType& a, const DataType& b) {
  if (a == b || b.kind == kNull) return a;
  if (a.kind == kNull) return b;
  if (a.kind == kArray && b.kind == kArray) {
    return array_type(wider_variant_type(a.element(), b.element()));
  }
  if (a.kind == kStruct && b.kind == kStruct) {
    std::map<std::string, DataType> merged;
    for (const auto* fields : {a.fields.get(), b.fields.get()}) {
      for (const auto& field : *fields) {
        const auto [place, is_new] = merged.try_emplace(field.name, field.type);
        if (!is_new) place->second = wider_variant_type(place->second, field.type);
      }
    }
    Schema fields;
    for (const auto& [name, type] : merged) fields.push_back({name, type});
    return struct_type(std::move(fields));
  }
  const auto either = [&](TypeKind kind) { return a.kind == kind || b.kind == kind; };
  if (a.is_numeric() && b.is_numeric()) {
    if (either(kDouble)) return make_type(kDouble);
    if (either(kFloat)) return make_type(either(kDecimal) ? kVariant : kFloat);
    const auto x = a.kind == kLong ? decimal_type(20, 0) : a,
               y = b.kind == kLong ? decimal_type(20, 0) : b;
    const int scale = std::max(x.scale, y.scale);
    const int range = std::max(x.precision - x.scale, y.precision - y.scale);
    return range + scale > 38 ? make_type(kDouble) : decimal_type(range + scale, scale);
  }
  if (a.is_datetime() && b.is_datetime()) {
    return make_type(either(kTimestamp) ? kTimestamp : kTimestampNtz);
  }
  return make_type(kVariant);
}

std::string variant_type_text(const DataType& type) {
  if (type.kind == kArray) return fmt::format("ARRAY<{}>", variant_type_text(type.element()));
  if (type.kind != kStruct) return type.sql();
  std::string inner;
  for (const auto& field : *type.fields) {
    // STRUCT<name: VOID>, of which the name as it is quoted
    const auto one = struct_type({{field.name, make_type(kNull)}}).sql();
    inner += (inner.empty() ? "" : ", ") + one.substr(7, one.size() - 12) +
             variant_type_text(field.type);
  }
  return fmt::format("OBJECT<{}>", inner);
}

}  // namespace firesteel
