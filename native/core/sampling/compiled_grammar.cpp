#include "core/sampling/compiled_grammar.h"

#include <algorithm>
#include <list>
#include <utility>

#include "core/model/token_tree.h"
#include "core/model/utf8.h"

namespace cria {

namespace {

// Of what one grammar finds out. A state and its tokens take about 20 KB.
constexpr size_t kMostBytes = size_t{32} << 20;
// Of all grammars of a model that are kept without being used.
constexpr size_t kMostKeptBytes = size_t{64} << 20;
constexpr size_t kMostKept = 64;

// All grammars of a vocabulary.
class Grammars : public Vocabulary::Kept {
 public:
  explicit Grammars(const Vocabulary& vocabulary)
      : vocabulary_(vocabulary), slices_(vocabulary.tree(), vocabulary.size()) {}

  std::shared_ptr<CompiledGrammar> get(const std::string& source, const std::string& root) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (auto known = find(source, root)) return known;
    }
    auto made = std::make_shared<CompiledGrammar>(vocabulary_, source, root, slices_);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (auto known = find(source, root)) return known;
    entries_.push_front({source, root, made});
    trim();
    return made;
  }

 private:
  struct Entry {
    std::string source;
    std::string root;
    std::shared_ptr<CompiledGrammar> grammar;
  };

  std::shared_ptr<CompiledGrammar> find(const std::string& source, const std::string& root) {
    const auto known = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      return entry.source == source && entry.root == root;
    });
    if (known == entries_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, known);
    return known->grammar;
  }

  // The least recently used go first; generations still have theirs.
  void trim() {
    size_t bytes = 0;
    size_t count = 0;
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      bytes += entry->source.size() + entry->grammar->bytes();
      const bool room = ++count <= kMostKept && (count == 1 || bytes <= kMostKeptBytes);
      entry = room ? std::next(entry) : entries_.erase(entry);
    }
  }

  const Vocabulary& vocabulary_;
  TokenSlices slices_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // the last used comes first
};

}  // namespace

TextTokens::TextTokens(const Vocabulary& vocabulary, const std::string& begun)
    : all(vocabulary.size()), whole(vocabulary.size()) {
  const TokenTree& tree = vocabulary.tree();
  const std::vector<TokenTree::Node>& nodes = tree.nodes();
  for (uint32_t first = 0; first < tree.size(); first = nodes[first].end) {
    if (!utf8::begins_text(begun + static_cast<char>(nodes[first].byte))) continue;
    for (uint32_t rank = nodes[first].tokens; rank < nodes[nodes[first].end].tokens; ++rank) {
      const llama_token token = tree.tokens()[rank];
      std::string bytes = begun;
      vocabulary.append_piece(token, /*special=*/true, bytes);
      bytes.resize(grammar_bytes(bytes).size());
      if (!utf8::begins_text(bytes)) continue;
      all.add(token);
      if (utf8::unfinished_tail(bytes) == 0) whole.add(token);
    }
  }
}

CompiledGrammar::CompiledGrammar(const Vocabulary& vocabulary, const std::string& source,
                                 const std::string& root, TokenSlices& slices)
    : vocabulary_(vocabulary),
      slices_(slices),
      graph_(read_grammar(source, root, vocabulary)),
      masks_(std::make_shared<TokenMasks>(graph_, slices)),
      bytes_(graph_.bytes() + masks_->bytes()) {}

std::shared_ptr<TokenMasks> CompiledGrammar::masks() {
  const size_t bytes = masks_->bytes();
  bytes_ = graph_.bytes() + bytes;
  if (bytes > kMostBytes) masks_ = std::make_shared<TokenMasks>(graph_, slices_);
  return masks_;
}

const TextTokens& CompiledGrammar::texts() {
  if (!texts_) texts_ = std::make_unique<TextTokens>(vocabulary_, "");
  return *texts_;
}

std::shared_ptr<CompiledGrammar> CompiledGrammar::shared(const Vocabulary& vocabulary,
                                                         const std::string& source,
                                                         const std::string& root) {
  const auto make = [](const Vocabulary& of) -> std::unique_ptr<Vocabulary::Kept> {
    return std::make_unique<Grammars>(of);
  };
  return static_cast<Grammars&>(vocabulary.kept(make)).get(source, root);
}

}  // namespace cria
