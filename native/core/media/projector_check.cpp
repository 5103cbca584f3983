#include "core/media/projector_check.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "core/model/error.h"
#include "core/model/metadata_overrides.h"
#include "core/model/model_check.h"
#include "core/model/model_files.h"

namespace cria {

namespace {

struct Bounds {
  std::string_view name;  // behind "clip.vision." or "clip.audio."
  double least;
  double most;
};

// Far more than any projector has, and far below where products of three of them overflow.
constexpr double kWidth = 1 << 16;
constexpr double kSide = 8192;
constexpr double kPixels = 1 << 26;

constexpr Bounds kBounds[] = {
    {"block_count", 1, 256},
    {"embedding_length", 1, kWidth},
    {"feed_forward_length", 0, 1 << 20},
    {"projection_dim", 0, kWidth},
    {"attention.head_count", 1, 1024},
    {"attention.head_count_kv", 1, 1024},
    {"attention.head_dim", 1, 4096},
    {"attention.layer_norm_epsilon", 0, 1},
    {"image_size", 1, kSide},
    {"patch_size", 1, 1024},
    {"preproc_image_size", 0, kSide},
    {"preproc_min_tiles", 0, 64},
    {"preproc_max_tiles", 0, 64},
    {"image_min_pixels", 0, kPixels},
    {"image_max_pixels", 0, kPixels},
    {"projector.scale_factor", 1, 64},
    {"projector.query_side", 1, 64},
    {"projector.window_side", 1, 64},
    {"spatial_merge_size", 1, 64},
    {"image_grid_pinpoints", 1, kSide},
    {"wa_layer_indexes", 0, 256},
    {"n_wa_pattern", 0, 256},
    {"window_size", 0, 4096},
    {"sam.head_count", 1, 1024},
    {"sam.block_count", 0, 256},
    {"sam.embedding_length", 1, kWidth},
    {"expert_used_count", 0, 256},
    {"num_mel_bins", 1, 4096},
    {"projector.stack_factor", 1, 64},
    {"projector.window_size", 1, 4096},
    {"projector.downsample_rate", 1, 64},
    {"projector.head_count", 1, 1024},
    {"chunk_size", 1, 8192},
    {"conv_kernel_size", 1, 1024},
    {"max_pos_emb", 0, 1 << 20},
    {"subsampling_factor", 1, 64},
    {"rvq.num_quantizers", 1, 64},
    {"rvq.codebook_size", 1, 1 << 20},
    {"local_block_count", 0, 256},
    {"local_group_size", 1, 64},
};

const Bounds* bounds_of(std::string_view key) {
  for (const std::string_view prefix : {"clip.vision.", "clip.audio."}) {
    if (key.substr(0, prefix.size()) != prefix) continue;
    const std::string_view name = key.substr(prefix.size());
    for (const Bounds& bounds : kBounds)
      if (bounds.name == name) return &bounds;
  }
  return nullptr;
}

void check_numbers(const Metadata& metadata) {
  for (const std::string& key : metadata.keys()) {
    if (key.substr(0, 5) != "clip.") continue;
    const Bounds* bounds = bounds_of(key);
    for (const double number : metadata.numbers(key)) {
      if (!std::isfinite(number) || std::abs(number) > kPixels) {
        refuse_value(key, "a number of a usual size", std::to_string(number));
      }
      if (bounds != nullptr && !(number >= bounds->least && number <= bounds->most)) {
        refuse_value(key,
                     "from " + std::to_string(static_cast<int64_t>(bounds->least)) + " to " +
                         std::to_string(static_cast<int64_t>(bounds->most)),
                     std::to_string(number));
      }
    }
  }
}

// At least one patch has to fit in.
void check_patches(const Metadata& metadata) {
  const auto side = metadata.number("clip.vision.image_size");
  const auto patch = metadata.number("clip.vision.patch_size");
  if (side && patch && *side < *patch) {
    refuse_value("clip.vision.image_size", "at least \"clip.vision.patch_size\"",
                 std::to_string(static_cast<int64_t>(*side)));
  }
}

// mtmd divides one by the other.
void check_heads(const Metadata& metadata, const std::string& modality) {
  const std::string prefix = "clip." + modality + ".";
  const auto width = metadata.number(prefix + "embedding_length");
  const auto heads = metadata.number(prefix + "attention.head_count");
  if (!width || !heads) return;  // mtmd says which is missing
  if (std::fmod(*width, *heads) != 0) {
    refuse_value(prefix + "embedding_length", "a multiple of the number of heads",
                 std::to_string(static_cast<int64_t>(*width)) + " for " +
                     std::to_string(static_cast<int64_t>(*heads)));
  }
  const std::string kv = prefix + "attention.head_count_kv";
  const auto kv_heads = metadata.number(kv);
  if (kv_heads && std::fmod(*heads, *kv_heads) != 0) {
    refuse_value(kv, "a divisor of the number of heads",
                 std::to_string(static_cast<int64_t>(*kv_heads)));
  }
}

ProjectorPart part_of(const Metadata& metadata, const std::string& modality) {
  const std::string own = "clip." + modality + ".projector_type";
  const auto kind = metadata.text("clip.projector_type");
  const auto layers = metadata.number("clip." + modality + ".block_count");
  return {modality == "vision" ? "v" : "a",
          kind && !kind->empty() ? *kind : metadata.text(own).value_or(""),
          static_cast<int64_t>(layers.value_or(0))};
}

std::vector<ProjectorPart> parts_of(const Metadata& metadata) {
  std::vector<ProjectorPart> parts;
  if (metadata.number("clip.has_gen_audio_encoder").value_or(0) != 0) {
    throw Error(code::kUnsupported, "projectors that make sounds are not supported");
  }
  for (const char* modality : {"vision", "audio"}) {
    const std::string key = std::string("clip.has_") + modality + "_encoder";
    if (metadata.number(key).value_or(0) != 0) parts.push_back(part_of(metadata, modality));
  }
  if (!parts.empty()) return parts;
  refuse_value("clip.has_vision_encoder", "true, or that of sounds", "neither");
}

}  // namespace

void check_projector(const std::string& path, const ModelFiles& files) {
  const Metadata metadata(files.header(), {});
  try {
    if (metadata.architecture() != "clip") {
      refuse_value("general.architecture", "\"clip\", as that of every projector (mmproj)",
                   "\"" + metadata.architecture() + "\"");
    }
    const std::vector<ProjectorPart> parts = parts_of(metadata);
    check_numbers(metadata);
    check_patches(metadata);
    check_heads(metadata, "vision");
    check_heads(metadata, "audio");
    check_projector_tensors(parts, files.tensors());
  } catch (const Error& error) {
    if (error.what()[0] == '"') throw;
    throw Error(error.code(),
                "\"" + path + "\" cannot be used as a projector: " + error.what() + ".");
  }
}

}  // namespace cria
