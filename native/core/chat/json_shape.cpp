#include "core/chat/json_shape.h"

#include <vector>

namespace cria {

bool is_too_nested(std::string_view json) {
  std::vector<int> members;  // of each that is open
  bool in_text = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_text) {
      if (c == '\\') ++i;
      if (c == '"') in_text = false;
    } else if (c == '"') {
      in_text = true;
    } else if (c == '[' || c == '{') {
      if (members.size() == kMostLevels) return true;
      members.push_back(0);
    } else if (c == ']' || c == '}') {
      if (!members.empty()) members.pop_back();
    } else if (c == ':' && !members.empty()) {
      if (++members.back() > kMostMembers) return true;
    }
  }
  return false;
}

}  // namespace cria
