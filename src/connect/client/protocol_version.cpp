// Goes over a plan's fields by reflection, with a table of those that are newer than 3.5.
#include "connect/client/protocol_version.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace firesteel::connect {

namespace {

namespace pb = google::protobuf;
using Version = std::pair<int, int>;

struct FieldVersion {
  std::string_view field;  // sorted
  std::string_view since;
};
constexpr FieldVersion kNewerFields[] = {
#include "connect/client/fields.inc"
};

Version version_of(std::string_view text) {
  Version out{0, 0};
  const auto dot = std::min(text.find('.'), text.size());
  std::from_chars(text.data(), text.data() + dot, out.first);
  if (dot < text.size())
    std::from_chars(text.data() + dot + 1, text.data() + text.size(), out.second);
  return out;
}

void check_known(std::string_view name, const Version& server, const std::string& server_version) {
  const auto* row = std::ranges::lower_bound(kNewerFields, name, {}, &FieldVersion::field);
  if (row == std::end(kNewerFields) || row->field != name || server >= version_of(row->since))
    return;
  throw Error("UNSUPPORTED_FEATURE.CONNECT_VERSION",
              fmt::format("The server runs Spark {}, and `{}` needs Spark {} or later.",
                          server_version, name, row->since));
}

void fit(pb::Message& message, const Version& server, const std::string& server_version) {
  const auto* reflection = message.GetReflection();
  std::vector<const pb::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->name() == "origin") {
      reflection->ClearField(&message, field);
      continue;
    }
    check_known(field->full_name(), server, server_version);
    if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_ENUM && !field->is_repeated()) {
      const auto& value = *reflection->GetEnum(message, field);
      check_known(value.type()->full_name() + "." + value.name(), server, server_version);
    }
    if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
    if (field->is_repeated()) {
      for (int i = 0; i < reflection->FieldSize(message, field); ++i)
        fit(*reflection->MutableRepeatedMessage(&message, field, i), server, server_version);
    } else {
      fit(*reflection->MutableMessage(&message, field), server, server_version);
    }
  }
}

}  // namespace

void fit_protocol(spark::connect::Plan& plan, const std::string& server_version) {
  const auto server = version_of(server_version);
  const auto newest = std::ranges::max(kNewerFields, {}, [](const FieldVersion& row) {
                        return version_of(row.since);
                      }).since;
  if (server < version_of(newest)) fit(plan, server, server_version);
}

bool is_since(const std::string& server_version, const std::string& version) {
  return version_of(server_version) >= version_of(version);
}

}  // namespace firesteel::connect
