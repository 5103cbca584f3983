// From a JSON Schema to a grammar in llama.cpp's notation, by llama.cpp's own converter in common/.
#pragma once

#include <string>

namespace cria::grammar {

struct Rules {
  std::string source;
  std::string root;  // the name of the start rule: not "root" where a property took that name
};

// The rules of `schema`, JSON text that lib/json-schema.ts has bounded in depth and size. Throws
// ERR_SCHEMA_UNSUPPORTED with the converter's reason. A pattern that it cannot express stands for
// any string, which it would tell on stderr: here it is a warning in the log.
Rules from_json_schema(const std::string& schema);

}  // namespace cria::grammar
