// By reflection, so that new kinds of relations and expressions need nothing here.
#include "plan/visit.h"

#include <google/protobuf/message.h>

#include <vector>

namespace firesteel {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void for_each_message(const Message& message, const std::function<bool(const Message&)>& visit) {
  if (!visit(message)) return;
  std::vector<const FieldDescriptor*> fields;
  const auto* reflection = message.GetReflection();
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
    const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      for_each_message(field->is_repeated() ? reflection->GetRepeatedMessage(message, field, i)
                                            : reflection->GetMessage(message, field),
                       visit);
    }
  }
}

}  // namespace firesteel
