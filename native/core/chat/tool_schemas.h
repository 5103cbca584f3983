// The schemas of tools, as far as llama.cpp's converter can take them. It follows references
// without end, writes what an `allOf` refers to again in every place, refuses much that JSON Schema
// allows, and nothing stops it once it runs. What it cannot take stands for any value: lib/ checks
// the arguments anyway.
#pragma once

#include <json.h>

namespace cria::tool_schemas {

// The schema of any object.
common_json any_object();

// The same tools with schemas that it makes a grammar of. Throws ERR_INVALID_ARGUMENT for more than
// a thousand. To be called within template_program::run().
common_json convertible(const common_json& tools);

}  // namespace cria::tool_schemas
