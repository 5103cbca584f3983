// What makes embeddings of pictures and sounds for one model: mtmd's context, from a file of its
// own (mmproj-….gguf). All contexts of the model share it; one encoding runs at a time. The only
// header in front of mtmd.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/media/media.h"
#include "core/media/media_cache.h"
#include "core/media/media_chunk.h"
#include "core/model/collapse.h"
#include "core/model/model.h"

struct mtmd_context;
struct ggml_tensor;
struct ggml_backend_device;

namespace cria {

// What a projector's weights, and what it computes a picture in, take of each device. Reads no
// weights. Throws as Projector::load().
using ProjectorMemory = std::vector<std::pair<ggml_backend_device*, uint64_t>>;
ProjectorMemory measure_projector(const std::string& path, bool use_gpu,
                                  const std::function<bool()>& goes_on);

class Projector {
 public:
  using GoesOn = std::function<bool()>;

  // What one prompt may hold.
  struct Room {
    int32_t rows;         // of all its tokens and media together
    int32_t micro_batch;  // rows that can be evaluated together
  };

  // Blocks, so it needs a thread of its own. Everything in the file is checked before mtmd sees it.
  // Ends with ERR_DISPOSED once `goes_on` returns false.
  static std::shared_ptr<Projector> load(const std::string& path, std::shared_ptr<Model> model,
                                         const GoesOn& goes_on);
  ~Projector();
  Projector(const Projector&) = delete;
  Projector& operator=(const Projector&) = delete;

  bool sees() const { return sees_; }
  bool hears() const { return hears_; }
  // Of its weights, as the model's: see ModelFiles::fingerprint().
  const std::string& fingerprint() const { return fingerprint_; }

  // Decodes and encodes, or finds it in the cache. Blocks; any thread but JavaScript's. Null once
  // `goes_on`, which is asked every few milliseconds of work, returns false. Throws
  // ERR_MEDIA_INVALID, ERR_CONTEXT_FULL, ERR_UNSUPPORTED.
  std::shared_ptr<const EncodedMedia> encode(Media media, const Room& room, const GoesOn& goes_on);

  // How many rows it would have: decodes it, and encodes nothing. As encode(); 0 if it was stopped.
  size_t rows(Media media, const GoesOn& goes_on);

 private:
  Projector(std::shared_ptr<Model> model, std::string path);

  void check_kind(MediaKind kind) const;
  void check_alive() const;
  static bool on_node(ggml_tensor* node, bool ask, void* self);

  const std::shared_ptr<Model> model_;  // longer than the context
  const std::string path_;
  std::string fingerprint_;
  mtmd_context* context_ = nullptr;
  bool sees_ = false;
  bool hears_ = false;
  MediaCache cache_;

  std::timed_mutex encoding_;  // held while mtmd computes, as all below
  const GoesOn* goes_on_ = nullptr;
  double work_ = 0;  // since `goes_on_` was asked
  bool stopped_ = false;
  const std::shared_ptr<Collapse> collapse_ = std::make_shared<Collapse>();
};

}  // namespace cria
