"""Configurations: defaults, fields, nesting, legacy keys, files."""

import json
import os
import tempfile

import transformers as reference

import tuwen

from .common import both, family, maybe, pick, same

TEXT = {
    "vocab_size": [21128, 30522, 7], "hidden_size": [768, 24], "num_hidden_layers": [12, 0, 3], "num_attention_heads": [12, 3],
    "intermediate_size": [3072, 10], "hidden_act": ["gelu", "relu", "unknown"], "hidden_dropout_prob": [0.1, 0.0],
    "max_position_embeddings": [512, 20], "type_vocab_size": [2, 1], "initializer_range": [0.02, 1], "initializer_factor": [1.0, 2.0],
    "layer_norm_eps": [1e-12, 1e-5], "pad_token_id": [0, None, 3], "position_embedding_type": ["absolute", "relative_key"],
    "use_cache": [True, False],
}
VISION = {
    "hidden_size": [768, 40], "intermediate_size": [3072, 44], "projection_dim": [512, 20], "num_hidden_layers": [12, 2],
    "num_attention_heads": [12, 5], "num_channels": [3, 1], "image_size": [224, 336], "patch_size": [32, 14, 16],
    "hidden_act": ["quick_gelu", "gelu"], "layer_norm_eps": [1e-5, 1e-6], "attention_dropout": [0.0, 0.5],
    "initializer_range": [0.02, 0.1], "initializer_factor": [1.0, 3.0],
}
COMMON = {
    "return_dict": [True, False], "output_attentions": [True, False], "output_hidden_states": [True, False],
    "torchscript": [True, False],
    "is_decoder": [True, False], "add_cross_attention": [True, False], "chunk_size_feed_forward": [0, 4],
    "pruned_heads": [{}, {"0": [1]}, {1: [0, 2]}],
    "bos_token_id": [None, 0], "architectures": [None, ["X"]],
    "id2label": [None, {"0": "a", "1": "b", "2": "c"}, [1]], "label2id": [None, {"a": 0}, 3],
    "num_labels": [2, 5], "problem_type": [None, "regression", "nonsense"], "foo": [1, None, {"bar": 2}], "directionality": ["bidi"],
    "temperature": [1.0, 0.5], "max_length": [20, 9], "tie_word_embeddings": [True, False], "name_or_path": ["x"], "torch_dtype": [None],
    "task_specific_params": [None, {"a": 1}], "attn_implementation": [None, "eager"], "transformers_version": ["4.1"],
}


def options(rng, fields, probability=0.3):
    return {key: pick(rng, *values) for key, values in {**fields, **COMMON}.items() if maybe(rng, probability)}


def compare(made, what):
    if made is None:
        return
    expected, found = made
    same(expected.to_dict(), found.to_dict(), f"{what}.to_dict()")
    same(expected.to_diff_dict(), found.to_diff_dict(), f"{what}.to_diff_dict()")
    same(expected.to_json_string(), found.to_json_string(), f"{what}.to_json_string()")
    same(expected.use_return_dict, found.use_return_dict, f"{what}.use_return_dict")


def break_one(rng, given, name):
    return {**given, name: given.get(name, 11) + 1 if isinstance(given.get(name, 11), int) else 11}


@family("config.text")
def text(rng, broken):
    given = options(rng, TEXT)
    mine = break_one(rng, given, "vocab_size") if broken else given
    compare(both(lambda: reference.ChineseCLIPTextConfig(**given), lambda: tuwen.ChineseCLIPTextConfig(**mine), "text"), "text")


@family("config.vision")
def vision(rng, broken):
    given = options(rng, VISION)
    mine = break_one(rng, given, "patch_size") if broken else given
    compare(both(lambda: reference.ChineseCLIPVisionConfig(**given), lambda: tuwen.ChineseCLIPVisionConfig(**mine), "vision"), "vision")


def joint_options(rng):
    given = {key: pick(rng, *values) for key, values in COMMON.items() if maybe(rng, 0.1)}
    for key, fields in (("text_config", TEXT), ("vision_config", VISION)):
        if maybe(rng, 0.8):
            given[key] = pick(rng, None, options(rng, fields, 0.15))
        if maybe(rng, 0.2):
            given[key + "_dict"] = options(rng, fields, 0.1)
    if maybe(rng):
        given["projection_dim"] = pick(rng, 512, 20)
    if maybe(rng):
        given["logit_scale_init_value"] = pick(rng, 2.6592, 4.6)
    return given


@family("config.joint")
def joint(rng, broken):
    given = joint_options(rng)
    text_copy, mine = json.dumps(given), json.loads(json.dumps(given))
    if broken:
        mine["projection_dim"] = 33
    compare(both(lambda: reference.ChineseCLIPConfig(**json.loads(text_copy)), lambda: tuwen.ChineseCLIPConfig(**mine), "joint"), "joint")


@family("config.pair")
def pair(rng, broken):
    text_given, vision_given = options(rng, TEXT, 0.1), options(rng, VISION, 0.1)
    mine = break_one(rng, text_given, "hidden_size") if broken else text_given

    def make(package, text):
        return package.ChineseCLIPConfig.from_text_vision_configs(
            package.ChineseCLIPTextConfig(**text), package.ChineseCLIPVisionConfig(**vision_given), projection_dim=77)

    compare(both(lambda: make(reference, text_given), lambda: make(tuwen, mine), "pair"), "pair")


@family("config.files")
def files(rng, broken):
    """Saved by either package, loaded by both, by each of the classes, with overrides."""
    given = joint_options(rng)
    name = pick(rng, "ChineseCLIPConfig", "ChineseCLIPTextConfig", "ChineseCLIPVisionConfig")
    overrides = pick(rng, {}, {"output_attentions": True}, {"hidden_size": 48}, {"foo": 3},
                     {"projection_dim": 9, "return_unused_kwargs": True, "zzz": 1})
    mine = {**overrides, "output_hidden_states": "broken"} if broken else overrides
    with tempfile.TemporaryDirectory() as directory:
        saver = pick(rng, reference, tuwen)
        made = both(lambda: reference.ChineseCLIPConfig(**json.loads(json.dumps(given))),
                    lambda: tuwen.ChineseCLIPConfig(**json.loads(json.dumps(given))), "made")
        if made is None:
            return
        made[0 if saver is reference else 1].save_pretrained(directory)
        where = pick(rng, directory, os.path.join(directory, "config.json"))
        loaded = both(lambda: getattr(reference, name).from_pretrained(where, **overrides),
                      lambda: getattr(tuwen, name).from_pretrained(where, **mine), name)
        if loaded is None:
            return
        if isinstance(loaded[0], tuple):
            same(loaded[0][1], loaded[1][1], "unused")
            loaded = (loaded[0][0], loaded[1][0])
        compare(loaded, name)
