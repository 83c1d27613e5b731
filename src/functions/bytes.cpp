// Bytes, bitmaps and vectors: encodings, keyed hashes and encryption, bits, arrays of floats.
#include <fmt/format.h>

#include "functions/coercion.h"
#include "functions/groups.h"

namespace firesteel {

namespace {

using enum TypeKind;

[[noreturn]] void wrong_type(const std::vector<Resolved>& a, size_t i, std::string_view wanted,
                             const CallContext& call) {
  throw Error(
      "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
      fmt::format("Cannot resolve \"{}\" due to data type mismatch: The {} parameter "
                  "requires the {} type, however \"{}\" has the type \"{}\".",
                  call.name, i == 0 ? "first" : "second", wanted, a[i].name, a[i].type.sql()))
      .at(call.span);
}

/// to_binary(text[, 'hex' | 'utf-8' | 'utf8' | 'base64'])
Resolved binary_of(std::vector<Resolved>& a, const CallContext& call, bool try_parse) {
  Resolved result{.sql = "CAST(NULL AS BLOB)", .type = make_type(kBinary)};
  if (a.size() > 1 && a[1].sql.starts_with("CAST(NULL")) return result;
  std::string format = a.size() > 1 ? a[1].literal : "hex";
  for (char& c : format) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const bool utf8 = format == "utf-8" || format == "utf8", base64 = format == "base64";
  if (!utf8 && !base64 && format != "hex") {
    if (try_parse && !a[1].literal.empty()) return result;
    throw Error(a[1].literal.empty() ? "DATATYPE_MISMATCH.NON_FOLDABLE_INPUT"
                                     : "DATATYPE_MISMATCH.INVALID_ARG_VALUE",
                fmt::format("Cannot resolve \"{}\" due to data type mismatch: The `fmt` value must "
                            "be one of the literals hex, utf-8, utf8 and base64, but got '{}'.",
                            call.name, a[1].name))
        .at(call.span);
  }
  result.sql = fmt::format("{}({})",
                           utf8     ? "encode"
                           : base64 ? "spark_try_from_base64"
                                    : "spark_try_from_hex",
                           a[0].sql);
  if (utf8 || try_parse) return result;
  const auto wrong = raise_sql(
      "CONVERSION_INVALID_INPUT",
      fmt::format("The value cannot be converted to \"BINARY\" because it is malformed as {}. Use "
                  "`try_to_binary` to tolerate malformed input and return NULL instead.",
                  format),
      call.span);
  result.sql = fmt::format("coalesce({}, CASE WHEN {} IS NOT NULL THEN {} END)", result.sql,
                           a[0].sql, wrong);
  return result;
}
Resolved to_binary(std::vector<Resolved>& a, const CallContext& call) {
  return binary_of(a, call, false);
}
Resolved try_to_binary(std::vector<Resolved>& a, const CallContext& call) {
  return binary_of(a, call, true);
}

/// bit_get(integer, position): the bit as a byte.
Resolved bit_get(std::vector<Resolved>& a, const CallContext& call) {
  const auto kind = a[0].is_null() ? kInteger : a[0].type.kind;
  const int bits = kind == kByte ? 8 : kind == kShort ? 16 : kind == kInteger ? 32 : 64;
  const auto outside = raise_sql(
      "INVALID_PARAMETER_VALUE.BIT_POSITION_RANGE",
      fmt::format("The value of parameter `pos` in `{}` is invalid: expects an integer value in "
                  "[0, {}).",
                  call.name, bits),
      call.span);
  return {.sql = fmt::format("CAST(CASE WHEN {0} < 0 OR {0} >= {1} THEN {2} ELSE "
                             "spark_shiftright(CAST({3} AS BIGINT), {0}) & 1 END AS TINYINT)",
                             a[1].sql, bits, outside, a[0].sql),
          .type = make_type(kByte),
          .nullable = a[0].nullable || a[1].nullable};
}

/// An aggregate of bitmaps, by a kernel over their list.
Resolved bitmaps(std::vector<Resolved>& a, const CallContext& call, const char* kernel) {
  if (a[0].type.kind != kBinary) wrong_type(a, 0, "\"BINARY\"", call);
  return {.sql = fmt::format("{0}(coalesce(list({1}) FILTER (WHERE {1} IS NOT NULL/*and*/)/*over*/,"
                             " []))",
                             kernel, a[0].sql),
          .type = make_type(kBinary),
          .nullable = false};
}
Resolved bitmap_or(std::vector<Resolved>& a, const CallContext& call) {
  return bitmaps(a, call, "spark_bitmap_or");
}
Resolved bitmap_and(std::vector<Resolved>& a, const CallContext& call) {
  return bitmaps(a, call, "spark_bitmap_and");
}
Resolved bitmap_count(std::vector<Resolved>& a, const CallContext& call) {
  if (a[0].type.kind != kBinary) wrong_type(a, 0, "\"BINARY\"", call);
  return {.sql = fmt::format("spark_bitmap_count({})", a[0].sql),
          .type = make_type(kLong),
          .nullable = a[0].nullable};
}

/// A function of arrays of floats, which are not cast.
void check_vectors(const std::vector<Resolved>& a, size_t count, const CallContext& call) {
  for (size_t i = 0; i < count; ++i) {
    if (a[i].type.kind != kArray || a[i].type.element().kind != kFloat)
      wrong_type(a, i, "\"ARRAY<FLOAT>\"", call);
  }
  for (size_t i = count; i < a.size(); ++i) {
    if (a[i].type.kind != kFloat) wrong_type(a, i, "\"FLOAT\"", call);
  }
}
Resolved vector_pair(std::vector<Resolved>& a, const CallContext& call) {
  check_vectors(a, 2, call);
  return {.sql = fmt::format("spark_{}({}, {})", call.name, a[0].sql, a[1].sql),
          .type = make_type(kFloat)};
}
Resolved vector_norm(std::vector<Resolved>& a, const CallContext& call) {
  check_vectors(a, 1, call);
  return {
      .sql = fmt::format("spark_vector_norm({}, {})", a[0].sql,
                         a.size() > 1 ? a[1].sql : "CAST(2 AS FLOAT)"),
      .type = make_type(kFloat),
      .name = fmt::format("{}({}, {})", call.name, a[0].name, a.size() > 1 ? a[1].name : "2.0")};
}
Resolved vector_normalize(std::vector<Resolved>& a, const CallContext& call) {
  auto result = vector_norm(a, call);
  result.sql = fmt::format(
      "CASE WHEN len({0}) = 0 THEN {0} WHEN {1} > 0 THEN list_transform({0}, lambda e: CAST(e / "
      "{1} AS FLOAT)) END",
      a[0].sql, result.sql);
  result.type = array_type(make_type(kFloat));
  return result;
}
Resolved vector_total(std::vector<Resolved>& a, const CallContext& call) {
  check_vectors(a, 1, call);
  return {.sql = fmt::format("spark_{}(list({})/*over*/)", call.name, a[0].sql),
          .type = array_type(make_type(kFloat))};
}

constexpr std::string_view kGeometry =
    "there are no geometry and geography types; keep shapes as BINARY (WKB) or STRING";

}  // namespace

// clang-format off
constexpr FunctionSpec kBytes[] = {
    {.name = "aes_decrypt", .signature = "(expr: binary, key: binary, [mode: string], [padding: string], [aad: binary]) -> binary", .lowering = "spark_aes_decrypt({0}, {1}, {2?{2}}{2!'GCM'}, {3?{3}}{3!'DEFAULT'}, {4?{4}}{4!''::BLOB})", .nulls = Nulls::kAlways, .print = "aes_decrypt({0}, {1}, {2?{2}}{2!GCM}, {3?{3}}{3!DEFAULT}, {4?{4}}{4!})",
     .doc = "Bytes that `aes_encrypt` encrypted.", .example = "CAST(aes_decrypt(unbase64('3lmwu+Mw0H3fi5NDvcu9lg=='), '1234567890abcdef', 'ECB') AS STRING)", .gives = "Spark SQL"},
    {.name = "aes_encrypt", .signature = "(expr: binary, key: binary, [mode: string], [padding: string], [iv: binary], [aad: binary]) -> binary", .lowering = "spark_aes_encrypt({0}, {1}, {2?{2}}{2!'GCM'}, {3?{3}}{3!'DEFAULT'}, {4?{4}}{4!''::BLOB}, {5?{5}}{5!''::BLOB})", .nulls = Nulls::kAlways, .print = "aes_encrypt({0}, {1}, {2?{2}}{2!GCM}, {3?{3}}{3!DEFAULT}, {4?{4}}{4!}, {5?{5}}{5!})",
     .doc = "Encrypted by AES with a key of 16, 24 or 32 bytes, as GCM, CBC or ECB; a random initialization vector comes first.", .example = "base64(aes_encrypt('Spark SQL', '1234567890abcdef', 'ECB'))", .gives = "3lmwu+Mw0H3fi5NDvcu9lg=="},
    {.name = "bit_get", .signature = "(expr: integral, position: int) -> byte", .lower = bit_get,
     .doc = "The bit at a position, from the lowest.", .example = "bit_get(11, 1)", .gives = "1"},
    {.name = "bitmap_and_agg", .signature = "(bitmap: any) -> binary", .lower = bitmap_and, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "Bitmaps joined by `and`.", .example = "bitmap_count(bitmap_and_agg(X'30'))", .gives = "2"},
    {.name = "bitmap_bit_position", .signature = "(value: long) -> long", .lowering = "CASE WHEN {0} > 0 THEN ({0} - 1) % 32768 ELSE - ({0} % 32768) END",
     .doc = "Position of a number's bit within its bitmap of 32768.", .example = "bitmap_bit_position(123)", .gives = "122"},
    {.name = "bitmap_bucket_number", .signature = "(value: long) -> long", .lowering = "CASE WHEN {0} > 0 THEN 1 + ({0} - 1) // 32768 ELSE CAST(trunc({0} / 32768) AS BIGINT) END",
     .doc = "Number of the bitmap that a number is in.", .example = "bitmap_bucket_number(123)", .gives = "1"},
    {.name = "bitmap_construct_agg", .signature = "(position: long) -> binary", .lowering = "spark_bitmap(coalesce(list(DISTINCT {0}) FILTER (WHERE {0} IS NOT NULL/*and*/)/*over*/, []))", .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "A bitmap whose bits at the positions are set.", .example = "bitmap_count(bitmap_construct_agg(7))", .gives = "1"},
    {.name = "bitmap_count", .signature = "(bitmap: any) -> long", .lower = bitmap_count,
     .doc = "Number of bits that are set.", .example = "bitmap_count(X'1010')", .gives = "2"},
    {.name = "bitmap_or_agg", .signature = "(bitmap: any) -> binary", .lower = bitmap_or, .kind = FunctionKind::kAggregate, .nulls = Nulls::kNever,
     .doc = "Bitmaps joined by `or`.", .example = "bitmap_count(bitmap_or_agg(X'30'))", .gives = "2"},
    {.name = "from_base32", .signature = "(str: string) -> binary", .lowering = "spark_from_base32({0})",
     .doc = "The bytes of base 32 text.", .example = "CAST(from_base32('MZXW6YTBOI======') AS STRING)", .gives = "foobar"},
    {.name = "getbit", .signature = "(expr: integral, position: int) -> byte", .lower = bit_get,
     .doc = "The bit at a position, from the lowest.", .example = "getbit(11, 2)", .gives = "0"},
    {.name = "hmac", .signature = "(key: binary, message: binary, [algorithm: string]) -> binary", .lowering = "spark_hmac({0}, {1}, {2?{2}}{2!'SHA-256'})", .nulls = Nulls::kAlways, .print = "hmac({0}, {1}, {2?{2}}{2!SHA-256})",
     .doc = "Keyed hash by MD5, SHA-1, SHA-224, SHA-256, SHA-384 or SHA-512.", .example = "hex(hmac('key', 'message', 'MD5'))", .gives = "4E4748E62B463521F6775FBF921234B5"},
    {.name = "is_valid_utf8", .signature = "(str: string) -> boolean", .lowering = "({0} IS NOT NULL OR NULL)",
     .doc = "Whether the bytes are UTF-8.", .example = "is_valid_utf8(X'80')", .gives = "false"},
    {.name = "is_valid_utf8", .signature = "(bytes: binary) -> boolean", .lowering = "spark_is_valid_utf8({0})"},
    {.name = "make_valid_utf8", .signature = "(str: string) -> string", .lowering = "{0}",
     .doc = "Text, with a replacement character where the bytes are no UTF-8.", .example = "hex(make_valid_utf8(X'6180'))", .gives = "61EFBFBD"},
    {.name = "make_valid_utf8", .signature = "(bytes: binary) -> string", .lowering = "spark_make_valid_utf8({0})"},
    {.name = "st_asbinary", .signature = "(shape: any) -> binary", .unsupported = kGeometry, .doc = "A shape as WKB."},
    {.name = "st_geogfromwkb", .signature = "(bytes: binary) -> any", .unsupported = kGeometry, .doc = "A geography of WKB."},
    {.name = "st_geomfromwkb", .signature = "(bytes: binary) -> any", .unsupported = kGeometry, .doc = "A geometry of WKB."},
    {.name = "st_setsrid", .signature = "(shape: any, srid: int) -> any", .unsupported = kGeometry, .doc = "A shape in another reference system."},
    {.name = "st_srid", .signature = "(shape: any) -> int", .unsupported = kGeometry, .doc = "The reference system of a shape."},
    {.name = "to_base32", .signature = "(bytes: binary) -> string", .lowering = "spark_to_base32({0})",
     .doc = "As base 32 text.", .example = "to_base32('foobar')", .gives = "MZXW6YTBOI======"},
    {.name = "to_binary", .signature = "(str: string, [format: string]) -> binary", .lower = to_binary, .nulls = Nulls::kAlways,
     .doc = "The bytes of text in hex (the default), base64 or utf-8.", .example = "CAST(to_binary('616263', 'hex') AS STRING)", .gives = "abc"},
    {.name = "try_aes_decrypt", .signature = "(expr: binary, key: binary, [mode: string], [padding: string], [aad: binary]) -> binary", .lowering = "spark_try_aes_decrypt({0}, {1}, {2?{2}}{2!'GCM'}, {3?{3}}{3!'DEFAULT'}, {4?{4}}{4!''::BLOB})", .nulls = Nulls::kAlways, .print = "try_aes_decrypt({0}, {1}, {2?{2}}{2!GCM}, {3?{3}}{3!DEFAULT}, {4?{4}}{4!})",
     .doc = "Bytes that `aes_encrypt` encrypted; null where they cannot be decrypted.", .example = "try_aes_decrypt(X'00', '1234567890abcdef')", .gives = "NULL"},
    {.name = "try_to_binary", .signature = "(str: string, [format: string]) -> binary", .lower = try_to_binary, .nulls = Nulls::kAlways,
     .doc = "The bytes of text in hex, base64 or utf-8; null where it is none.", .example = "try_to_binary('x', 'hex')", .gives = "NULL"},
    {.name = "try_validate_utf8", .signature = "(str: string) -> string", .lowering = "{0}", .nulls = Nulls::kAlways,
     .doc = "Text of UTF-8 bytes; null where they are none.", .example = "try_validate_utf8(X'80')", .gives = "NULL"},
    {.name = "try_validate_utf8", .signature = "(bytes: binary) -> string", .lowering = "spark_try_validate_utf8({0})", .nulls = Nulls::kAlways},
    {.name = "validate_utf8", .signature = "(str: string) -> string", .lowering = "{0}",
     .doc = "Text of UTF-8 bytes; anything else is an error.", .example = "validate_utf8(X'61')", .gives = "a"},
    {.name = "validate_utf8", .signature = "(bytes: binary) -> string", .lower = [](std::vector<Resolved>& a, const CallContext& call) {
       const auto wrong = raise_sql("INVALID_UTF8_STRING", "Invalid UTF8 byte sequence found in string.", call.span);
       return Resolved{.sql = fmt::format("coalesce(spark_try_validate_utf8({0}), CASE WHEN {0} IS NOT NULL THEN {1} END)", a[0].sql, wrong), .type = make_type(kString), .nullable = a[0].nullable};
     }},
    {.name = "vector_avg", .signature = "(vector: any) -> array<float>", .lower = vector_total, .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "The mean of vectors, element by element.", .example = "vector_avg(array(1.0F, 2.0F))", .gives = "[1.0, 2.0]"},
    {.name = "vector_cosine_similarity", .signature = "(left: any, right: any) -> float", .lower = vector_pair, .nulls = Nulls::kAlways,
     .doc = "Cosine of the angle between two vectors.", .example = "vector_cosine_similarity(array(1.0F, 2.0F, 3.0F), array(4.0F, 5.0F, 6.0F))", .gives = "0.97463185"},
    {.name = "vector_inner_product", .signature = "(left: any, right: any) -> float", .lower = vector_pair, .nulls = Nulls::kAlways,
     .doc = "Inner product of two vectors.", .example = "vector_inner_product(array(1.0F, 2.0F, 3.0F), array(4.0F, 5.0F, 6.0F))", .gives = "32.0"},
    {.name = "vector_l2_distance", .signature = "(left: any, right: any) -> float", .lower = vector_pair, .nulls = Nulls::kAlways,
     .doc = "Distance of two vectors.", .example = "vector_l2_distance(array(1.0F, 2.0F, 3.0F), array(4.0F, 5.0F, 6.0F))", .gives = "5.196152"},
    {.name = "vector_norm", .signature = "(vector: any, [degree: any]) -> float", .lower = vector_norm, .nulls = Nulls::kAlways,
     .doc = "Length of a vector: degree 2.0 (the default), 1.0 or `float('inf')`.", .example = "vector_norm(array(3.0F, 4.0F))", .gives = "5.0"},
    {.name = "vector_normalize", .signature = "(vector: any, [degree: any]) -> array<float>", .lower = vector_normalize, .nulls = Nulls::kAlways,
     .doc = "The vector of length 1 in the same direction.", .example = "vector_normalize(array(3.0F, 4.0F))", .gives = "[0.6, 0.8]"},
    {.name = "vector_sum", .signature = "(vector: any) -> array<float>", .lower = vector_total, .kind = FunctionKind::kAggregate, .nulls = Nulls::kAlways,
     .doc = "The sum of vectors, element by element.", .example = "vector_sum(array(1.0F, 2.0F))", .gives = "[1.0, 2.0]"},
};
// clang-format on
static_assert(checked(kBytes));

std::span<const FunctionSpec> bytes_rows() { return kBytes; }

}  // namespace firesteel
