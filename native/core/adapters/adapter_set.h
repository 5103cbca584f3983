// The LoRA adapters that tokens are evaluated with, and their scales.
#pragma once

#include <llama.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/adapters/lora_adapter.h"
#include "core/model/vocabulary.h"

namespace cria {

class AdapterSet {
 public:
  struct Part {
    std::shared_ptr<const LoraAdapter> adapter;
    float scale;
  };
  // Tells one set from another, without keeping its adapters in memory.
  using Key = std::vector<std::pair<uint64_t, float>>;

  AdapterSet() = default;
  // In any order, each adapter once. What has a scale of 0 changes nothing, and is left out.
  explicit AdapterSet(std::vector<Part> parts);

  bool empty() const { return parts_.empty(); }
  const std::vector<Part>& parts() const { return parts_; }
  const Key& key() const { return key_; }

  // The same for the same files and scales in another process; empty for an empty set.
  std::string identity() const;

  // Sets them for the next evaluations of the context, which must not outlive them. The context's
  // thread.
  void apply(llama_context* context) const;

 private:
  std::vector<Part> parts_;  // in the order of their ids
  Key key_;
};

// Never null.
using AdapterSetPtr = std::shared_ptr<const AdapterSet>;
const AdapterSetPtr& no_adapters();

// Throws ERR_INVALID_ARGUMENT if one of them is another model's.
void check_adapters(const AdapterSet& adapters, const Model& model);

// What tells the cached tokens of one text from those of another that has the same ones.
struct AdaptationKey {
  AdapterSet::Key before;
  AdapterSet::Key after;
  int32_t from = 0;

  // How many tokens at the beginning of both texts are evaluated with the same adapters.
  int32_t agreement(const AdaptationKey& other) const;
  bool operator==(const AdaptationKey& other) const {
    return before == other.before && after == other.after && from == other.from;
  }
};
inline const AdaptationKey kPlain;

// Which adapters each token of a text is evaluated with.
struct Adaptation {
  AdapterSetPtr before = no_adapters();
  AdapterSetPtr after = no_adapters();
  int32_t from = 0;  // the first token with `after`

  const AdapterSetPtr& at(int32_t position) const { return position < from ? before : after; }
  AdaptationKey key() const { return {before->key(), after->key(), from}; }
};

// An activated LoRA of the set counts from where its invocation begins that is the last in the
// prompt, and nowhere if it is not there. Throws ERR_UNSUPPORTED for more than one of them.
Adaptation adaptation_of(const Tokens& prompt, const AdapterSetPtr& adapters);

}  // namespace cria
