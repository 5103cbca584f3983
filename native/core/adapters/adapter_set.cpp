#include "core/adapters/adapter_set.h"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "core/model/error.h"

namespace cria {

AdapterSet::AdapterSet(std::vector<Part> parts) : parts_(std::move(parts)) {
  parts_.erase(std::remove_if(parts_.begin(), parts_.end(),
                              [](const Part& part) { return part.scale == 0; }),
               parts_.end());
  std::sort(parts_.begin(), parts_.end(),
            [](const Part& a, const Part& b) { return a.adapter->id() < b.adapter->id(); });
  for (const Part& part : parts_)
    key_.emplace_back(part.adapter->id(), part.scale);
}

std::string AdapterSet::identity() const {
  std::vector<std::string> texts;
  for (const Part& part : parts_) {
    char scale[32];
    std::snprintf(scale, sizeof scale, "*%a;", static_cast<double>(part.scale));
    texts.push_back(part.adapter->fingerprint() + scale);
  }
  std::sort(texts.begin(), texts.end());
  std::string all;
  for (const std::string& text : texts)
    all += text;
  return all;
}

void AdapterSet::apply(llama_context* context) const {
  std::vector<llama_adapter_lora*> handles;
  std::vector<float> scales;
  for (const Part& part : parts_) {
    handles.push_back(part.adapter->handle());
    scales.push_back(part.scale);
  }
  llama_set_adapters_lora(context, handles.data(), handles.size(), scales.data());
}

const AdapterSetPtr& no_adapters() {
  static const AdapterSetPtr none = std::make_shared<const AdapterSet>();
  return none;
}

void check_adapters(const AdapterSet& adapters, const Model& model) {
  for (const AdapterSet::Part& part : adapters.parts()) {
    if (part.adapter->belongs_to(model)) continue;
    throw Error(code::kInvalidArgument,
                "Expected `adapters` that this context's model has loaded; one is another's.");
  }
}

int32_t AdaptationKey::agreement(const AdaptationKey& other) const {
  const int32_t first = std::min(from, other.from);
  const int32_t last = std::max(from, other.from);
  if (first > 0 && before != other.before) return 0;
  const AdaptationKey& later = from == last ? *this : other;
  const AdaptationKey& sooner = from == last ? other : *this;
  if (first < last && sooner.after != later.before) return first;
  return after == other.after ? std::numeric_limits<int32_t>::max() : last;
}

Adaptation adaptation_of(const Tokens& prompt, const AdapterSetPtr& adapters) {
  std::vector<AdapterSet::Part> always;
  const LoraAdapter* activated = nullptr;
  for (const AdapterSet::Part& part : adapters->parts()) {
    if (part.adapter->invocation().empty()) {
      always.push_back(part);
    } else if (activated == nullptr) {
      activated = part.adapter.get();
    } else {
      throw Error(
          code::kUnsupported,
          "Expected at most one activated LoRA in `adapters`: llama.cpp's models are trained "
          "for one at a time.");
    }
  }
  if (activated == nullptr) return {adapters, adapters, 0};
  const auto without = std::make_shared<const AdapterSet>(std::move(always));
  const Tokens& invocation = activated->invocation();
  const auto found =
      std::find_end(prompt.begin(), prompt.end(), invocation.begin(), invocation.end());
  if (found == prompt.end()) return {without, without, 0};
  return {without, adapters, static_cast<int32_t>(found - prompt.begin())};
}

}  // namespace cria
