#include "core/engine/command.h"

#include <type_traits>

namespace cria {

size_t text_bytes(const Command& command) {
  return std::visit(
      [](const auto& what) -> size_t {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, command::Score> ||
                      std::is_same_v<What, command::Evaluate>) {
          return what.prompt.bytes();
        } else if constexpr (std::is_same_v<What, command::Embed>) {
          return what.text.size();
        } else if constexpr (std::is_same_v<What, command::Rank>) {
          return what.query.size() + what.document.size();
        } else {
          return 0;
        }
      },
      command.what);
}

}  // namespace cria
