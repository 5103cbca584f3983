"""Writes the trained parameters as GGUF: Q8_0 to ship, F32 to compare logits with.

Usage: export.py MODEL.pt OUTPUT.gguf [--type q8_0|f32]
"""

import argparse
from pathlib import Path

import torch

from engine import gguf
from tokenizer import CONTROL_TOKENS

CARD = {
    "name": "cria demo",
    "description": "A tiny model trained from scratch on made-up text; a fixture and a first taste of cria.",
    "license": "mit",
    "languages": ["en"],
}


def _permuted(weight, heads):
    """Training rotates halves, llama.cpp neighbours: rows of q and k are reordered to match."""
    rows, width = weight.shape
    return weight.view(heads, 2, rows // heads // 2, width).transpose(1, 2).reshape(rows, width)


def tensors(parameters, config):
    names = {
        "attention_norm": "attn_norm",
        "q": "attn_q",
        "k": "attn_k",
        "v": "attn_v",
        "o": "attn_output",
        "ffn_norm": "ffn_norm",
        "gate": "ffn_gate",
        "up": "ffn_up",
        "down": "ffn_down",
    }
    yield "token_embd.weight", parameters["embedding"]
    for i in range(config["layers"]):
        for ours, theirs in names.items():
            weight = parameters[f"{i}.{ours}"]
            if ours in ("q", "k"):
                weight = _permuted(weight, config["heads" if ours == "q" else "kv_heads"])
            yield f"blk.{i}.{theirs}.weight", weight
    yield "output_norm.weight", parameters["output_norm"]


def write(checkpoint, path, kind):
    config, tokens = checkpoint["config"], checkpoint["tokens"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(CARD["name"])
    writer.add_description(CARD["description"])
    writer.add_license(CARD["license"])
    writer.add_languages(CARD["languages"])
    writer.add_context_length(config["context"])
    writer.add_embedding_length(config["width"])
    writer.add_block_count(config["layers"])
    writer.add_feed_forward_length(config["ffn"])
    writer.add_head_count(config["heads"])
    writer.add_head_count_kv(config["kv_heads"])
    writer.add_layer_norm_rms_eps(config["epsilon"])
    writer.add_rope_freq_base(config["rope_base"])
    writer.add_rope_dimension_count(config["width"] // config["heads"])
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(
        gguf.LlamaFileType.MOSTLY_Q8_0 if kind == "q8_0" else gguf.LlamaFileType.ALL_F32
    )
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)

    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(tokens)
    control = set(CONTROL_TOKENS)
    writer.add_token_types(
        [gguf.TokenType.CONTROL if t in control else gguf.TokenType.NORMAL for t in tokens]
    )
    writer.add_token_merges(checkpoint["merges"])
    ids = {token: i for i, token in enumerate(tokens)}
    writer.add_bos_token_id(ids["<|begin_of_text|>"])
    # As in the instruct files of Llama 3: the end of a turn is what ends a generation.
    writer.add_eos_token_id(ids["<|eot_id|>"])
    writer.add_eot_token_id(ids["<|eot_id|>"])
    writer.add_eom_token_id(ids["<|eom_id|>"])
    writer.add_pad_token_id(ids["<|finetune_right_pad_id|>"])
    writer.add_add_bos_token(True)
    writer.add_chat_template((Path(__file__).parent / "chat-template.jinja").read_text())

    for name, weight in tensors(checkpoint["parameters"], config):
        array = weight.detach().float().contiguous().numpy()
        if kind == "q8_0" and array.ndim == 2:
            quantized = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(name, gguf.quants.quantize(array, quantized), raw_dtype=quantized)
        else:
            writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("output")
    parser.add_argument("--type", choices=("q8_0", "f32"), default="q8_0")
    options = parser.parse_args()
    write(torch.load(options.checkpoint), options.output, options.type)
    print(f"{options.output}: {Path(options.output).stat().st_size} bytes")


if __name__ == "__main__":
    main()
