// A tool's JSON Schema in the few forms that llama.cpp's converter knows.
#pragma once

#include <json.h>

#include <optional>
#include <string>

namespace cria::tool_schemas {

// Roughly the bytes of a value's texts, and some for each value.
size_t weight(const common_json& value);

// Without what the converter would stumble over, though it says nothing that a grammar of it could
// hold: `pattern`, of which it complains on stderr, bounds that it cannot count to, and nulls,
// which some programs write for what is not given. What is referred to lies under `$refs`, in names
// that begin with `owner`: the converter takes two references of one name for the same one, even of
// different tools. Nothing where a reference leads nowhere, or what is referred to is too much.
std::optional<common_json> plain(const common_json& schema, const std::string& owner);

}  // namespace cria::tool_schemas
