// Keyed hashes and AES, by OpenSSL's libcrypto.
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "engine/kernels.h"
#include "engine/row_function.h"

namespace firesteel {

namespace {

using Bytes = std::optional<std::string>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), ::toupper);
  return out;
}

/// hmac(key, message, algorithm)
Bytes hmac(Arguments a) {
  static constexpr std::pair<std::string_view, const EVP_MD* (*)()> kAlgorithms[] = {
      {"MD5", EVP_md5},        {"SHA-1", EVP_sha1},     {"SHA1", EVP_sha1},
      {"SHA-224", EVP_sha224}, {"SHA224", EVP_sha224},  {"SHA-256", EVP_sha256},
      {"SHA256", EVP_sha256},  {"SHA-384", EVP_sha384}, {"SHA384", EVP_sha384},
      {"SHA-512", EVP_sha512}, {"SHA512", EVP_sha512}};
  const auto name = upper(a[2].text);
  const auto* found = std::find_if(std::begin(kAlgorithms), std::end(kAlgorithms),
                                   [&](const auto& row) { return row.first == name; });
  if (found == std::end(kAlgorithms)) {
    throw Error("INVALID_PARAMETER_VALUE.HMAC_ALGORITHM",
                fmt::format("The value of parameter `algorithm` in `hmac` is invalid: expects one "
                            "of MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512, but got '{}'.",
                            a[2].text));
  }
  if (a[0].text.empty()) {
    throw Error("INVALID_PARAMETER_VALUE.HMAC_CRYPTO_ERROR",
                "The value of parameter `key` in `hmac` is invalid: it is empty.");
  }
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  HMAC(found->second(), a[0].text.data(), static_cast<int>(a[0].text.size()), bytes_of(a[1].text),
       a[1].text.size(), bytes_of(out), &size);
  out.resize(size);
  return out;
}

struct Mode {
  std::string_view name, padding;
  size_t vector_size;                 // bytes of the initialization vector before the ciphertext
  size_t tag_size;                    // bytes of the authentication tag behind it
  const EVP_CIPHER* (*ciphers[3])();  // of keys of 16, 24 and 32 bytes
};
constexpr Mode kModes[] = {
    {"ECB", "PKCS", 0, 0, {EVP_aes_128_ecb, EVP_aes_192_ecb, EVP_aes_256_ecb}},
    {"CBC", "PKCS", 16, 0, {EVP_aes_128_cbc, EVP_aes_192_cbc, EVP_aes_256_cbc}},
    {"GCM", "NONE", 12, 16, {EVP_aes_128_gcm, EVP_aes_192_gcm, EVP_aes_256_gcm}}};

const Mode& mode_of(std::string_view name, std::string_view padding, std::string_view function) {
  for (const auto& mode : kModes) {
    if (mode.name == upper(name) && (upper(padding) == "DEFAULT" || upper(padding) == mode.padding))
      return mode;
  }
  throw Error("UNSUPPORTED_FEATURE.AES_MODE",
              fmt::format("The feature is not supported: AES-{} with the padding {} by the {} "
                          "function.",
                          name, padding, function));
}

[[noreturn]] void refused(std::string_view function, std::string_view why) {
  throw Error(
      "INVALID_PARAMETER_VALUE.AES_CRYPTO_ERROR",
      fmt::format("The value of parameter `expr, key` in `{}` is invalid: {}", function, why));
}

const EVP_CIPHER* cipher_of(const Mode& mode, std::string_view key, std::string_view function) {
  if (key.size() != 16 && key.size() != 24 && key.size() != 32) {
    throw Error("INVALID_PARAMETER_VALUE.AES_KEY_LENGTH",
                fmt::format("The value of parameter `key` in `{}` is invalid: expects a binary "
                            "value with 16, 24 or 32 bytes, but got {} bytes.",
                            function, key.size()));
  }
  return mode.ciphers[key.size() / 8 - 2]();
}

void refuse_data(const Mode& mode, std::string_view data, std::string_view function) {
  if (!data.empty() && mode.tag_size == 0) {
    throw Error("UNSUPPORTED_FEATURE.AES_MODE_AAD",
                fmt::format("The feature is not supported: {} with AES-{} does not support "
                            "additional authenticate data (AAD).",
                            function, mode.name));
  }
}

using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

/// aes_encrypt(expr, key, mode, padding, initialization vector, additional data): the vector, the
/// ciphertext and the tag.
Bytes aes_encrypt(Arguments a) {
  static constexpr std::string_view kName = "aes_encrypt";
  const auto& mode = mode_of(a[2].text, a[3].text, kName);
  const auto* cipher = cipher_of(mode, a[1].text, kName);
  std::string vector(a[4].text);
  if (!vector.empty() && mode.vector_size == 0) {
    throw Error("UNSUPPORTED_FEATURE.AES_MODE_IV",
                fmt::format("The feature is not supported: {} with AES-{} does not support "
                            "initialization vectors (IVs).",
                            kName, mode.name));
  }
  if (!vector.empty() && vector.size() != mode.vector_size) {
    throw Error("INVALID_PARAMETER_VALUE.AES_IV_LENGTH",
                fmt::format("The value of parameter `iv` in `{}` is invalid: supports {}-byte "
                            "initialization vectors (IVs) for AES-{}, but got {} bytes.",
                            kName, mode.vector_size, mode.name, vector.size()));
  }
  refuse_data(mode, a[5].text, kName);
  if (vector.empty()) {
    vector.resize(mode.vector_size);
    RAND_bytes(bytes_of(vector), static_cast<int>(vector.size()));
  }
  const Context context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  std::string out = vector;
  out.resize(vector.size() + a[0].text.size() + 16 + mode.tag_size);
  int size = 0, more = 0;
  EVP_EncryptInit_ex(context.get(), cipher, nullptr, bytes_of(a[1].text), bytes_of(vector));
  if (!a[5].text.empty()) {
    EVP_EncryptUpdate(context.get(), nullptr, &more, bytes_of(a[5].text),
                      static_cast<int>(a[5].text.size()));
  }
  auto* at = bytes_of(out) + vector.size();
  EVP_EncryptUpdate(context.get(), at, &size, bytes_of(a[0].text),
                    static_cast<int>(a[0].text.size()));
  if (EVP_EncryptFinal_ex(context.get(), at + size, &more) != 1)
    refused(kName, "it cannot be encrypted.");
  size += more;
  if (mode.tag_size > 0) {
    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(mode.tag_size),
                        at + size);
  }
  out.resize(vector.size() + static_cast<size_t>(size) + mode.tag_size);
  return out;
}

/// aes_decrypt(expr, key, mode, padding, additional data)
Bytes aes_decrypt(Arguments a) {
  static constexpr std::string_view kName = "aes_decrypt";
  const auto& mode = mode_of(a[2].text, a[3].text, kName);
  const auto* cipher = cipher_of(mode, a[1].text, kName);
  refuse_data(mode, a[4].text, kName);
  auto text = a[0].text;
  if (text.size() < mode.vector_size + mode.tag_size) refused(kName, "it is too short.");
  const auto vector = text.substr(0, mode.vector_size);
  std::string tag(text.substr(text.size() - mode.tag_size));
  text = text.substr(vector.size(), text.size() - vector.size() - tag.size());
  const Context context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  std::string out(text.size() + 32, '\0');
  int size = 0, more = 0;
  EVP_DecryptInit_ex(context.get(), cipher, nullptr, bytes_of(a[1].text), bytes_of(vector));
  if (!a[4].text.empty()) {
    EVP_DecryptUpdate(context.get(), nullptr, &more, bytes_of(a[4].text),
                      static_cast<int>(a[4].text.size()));
  }
  EVP_DecryptUpdate(context.get(), bytes_of(out), &size, bytes_of(text),
                    static_cast<int>(text.size()));
  if (!tag.empty()) {
    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag.size()),
                        tag.data());
  }
  if (EVP_DecryptFinal_ex(context.get(), bytes_of(out) + size, &more) != 1)
    refused(kName, "the key does not fit, or the data are damaged.");
  out.resize(static_cast<size_t>(size + more));
  return out;
}

Bytes try_aes_decrypt(Arguments a) {
  try {
    return aes_decrypt(a);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

void register_crypto(duckdb::ExtensionLoader& loader) {
  add_row_function(loader, "spark_hmac", "bbs>b", hmac);
  add_row_function(loader, "spark_aes_encrypt", "bbssbb>b", aes_encrypt);
  add_row_function(loader, "spark_aes_decrypt", "bbssb>b", aes_decrypt);
  add_row_function(loader, "spark_try_aes_decrypt", "bbssb>b", try_aes_decrypt);
}

}  // namespace firesteel
