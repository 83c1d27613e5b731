// The grammar: sc://host[:port][/;name=value;…], values percent-encoded.
#include "connect/client/connection.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>

#include "base/error.h"

namespace firesteel::connect {

namespace {

std::string decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    int code = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(&text[i + 1], &text[i + 3], code, 16).ptr == &text[i + 3]) {
      out += static_cast<char>(code);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

[[noreturn]] void refuse(std::string_view url, const std::string& why) {
  throw Error("INVALID_CONNECT_URL", fmt::format("Invalid URL for Spark Connect: {} Write it as "
                                                 "sc://host:15002/;token=…;use_ssl=true, not `{}`.",
                                                 why, url.substr(0, url.find(";token="))));
}

}  // namespace

std::string Connection::endpoint() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Connection parse_connection(std::string_view url) {
  Connection out;
  constexpr std::string_view kScheme = "sc://";
  if (!url.starts_with(kScheme)) refuse(url, "the scheme is `sc`.");
  auto rest = url.substr(kScheme.size());
  const auto slash = std::min(rest.find_first_of("/;"), rest.size());
  auto address = rest.substr(0, slash);
  rest.remove_prefix(slash);
  if (rest.starts_with('/')) rest.remove_prefix(1);
  if (!rest.empty() && rest.front() != ';') refuse(url, "there is a path behind the address.");

  const auto colon = address.rfind(':');
  const auto bracket = address.rfind(']');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    const auto digits = address.substr(colon + 1);
    const auto* end = digits.data() + digits.size();
    if (std::from_chars(digits.data(), end, out.port).ptr != end || out.port < 1 ||
        out.port > 65535)
      refuse(url, fmt::format("`{}` is no port.", digits));
    address = address.substr(0, colon);
  }
  if (address.starts_with('[') && address.ends_with(']'))
    address = address.substr(1, address.size() - 2);
  if (address.empty()) refuse(url, "there is no host.");
  out.host = address;

  bool has_user = false;
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const auto end = std::min(rest.find(';'), rest.size());
    const auto pair = rest.substr(0, end);
    rest.remove_prefix(end);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0)
      refuse(url, fmt::format("`{}` is not name=value.", pair));
    const auto name = std::string(pair.substr(0, equals));
    const auto value = decoded(pair.substr(equals + 1));
    if (name == "token") {
      out.token = value;
    } else if (name == "use_ssl") {
      if (value != "true" && value != "false") refuse(url, "use_ssl is true or false.");
      out.use_ssl = value == "true";
    } else if (name == "user_id") {
      out.user_id = value;
      has_user = true;  // None, where it is empty, as of clients that do not know theirs.
    } else if (name == "session_id") {
      out.session_id = value;
    } else if (name == "user_agent") {
      out.user_agent = value;
    } else {
      out.headers.emplace_back(name, value);
    }
  }
  if (!has_user) {
    const char* user = std::getenv("USER");
    out.user_id = user ? user : "firesteel";
  }
  return out;
}

}  // namespace firesteel::connect
