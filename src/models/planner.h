// JSON of torch.export's schema 8 to a Program.
#pragma once

#include <string>

#include "models/program.h"

namespace firesteel {

/// `origin` names the archive in errors. Throws UNSUPPORTED_MODEL for another version of the schema
/// and for operators that this program has not, by name; INVALID_ARTIFACT for what is no such JSON.
Program plan_program(const std::string& text, const std::string& origin);

}  // namespace firesteel
