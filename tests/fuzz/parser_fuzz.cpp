// Any bytes to the SQL parser. An Error is a good answer; whatever else is thrown, a crash or an
// expression that reads otherwise once it is printed is a fault. Run by libFuzzer (`make fuzz`) and
// by corpus.cpp.
#include <google/protobuf/util/message_differencer.h>
#include <spark/connect/base.pb.h>

#include <cstdlib>
#include <functional>
#include <iostream>

#include "base/error.h"
#include "plan/print.h"
#include "sql/parser.h"

namespace {

using namespace firesteel;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using spark::connect::Expression;

/// SQL says all of it: no subquery, which stands elsewhere by its plan id.
bool has_text(const Expression& expression) {
  bool found = true;
  const std::function<void(const Message&)> look = [&](const Message& message) {
    const auto* subquery = dynamic_cast<const spark::connect::SubqueryExpression*>(&message);
    const auto* call = dynamic_cast<const Expression::UnresolvedFunction*>(&message);
    if (subquery || (call && call->is_internal())) found = false;
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const auto* field : fields) {
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
      const auto& reflection = *message.GetReflection();
      for (int i = 0; field->is_repeated() && i < reflection.FieldSize(message, field); ++i)
        look(reflection.GetRepeatedMessage(message, field, i));
      if (!field->is_repeated()) look(reflection.GetMessage(message, field));
    }
  };
  look(expression);
  return found;
}

void expect_same_when_printed(const Expression& expression) {
  if (!has_text(expression)) return;
  const auto text = print(expression);
  try {
    const auto again = parse_expression(text);
    // Quotes around a name that needs none are no difference.
    google::protobuf::util::MessageDifferencer same;
    same.IgnoreField(
        Expression::UnresolvedAttribute::descriptor()->FindFieldByName("unparsed_identifier"));
    same.IgnoreField(
        Expression::UnresolvedFunction::descriptor()->FindFieldByName("function_name"));
    if (print(again) == text && same.Compare(without_origins(expression), without_origins(again))) {
      return;
    }
    std::cerr << "printed: " << text << "\nread as: " << print(again) << '\n';
  } catch (const Error& error) {
    std::cerr << "printed: " << text << "\nread as: " << error.what() << '\n';
  }
  std::abort();
}

/// What `parse` gives, or nothing when the text is refused.
template <typename Parse>
auto attempt(Parse parse) -> std::optional<decltype(parse())> {
  try {
    return parse();
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  attempt([&] { return parse_statement(text); });
  if (const auto query = attempt([&] { return parse_query(text); })) {
    print(*query);
    for (const auto& expression : query->project().expressions())
      expect_same_when_printed(expression);
    if (query->has_filter()) expect_same_when_printed(query->filter().condition());
  }
  if (const auto expression = attempt([&] { return parse_expression(text); }))
    expect_same_when_printed(*expression);
  return 0;
}
