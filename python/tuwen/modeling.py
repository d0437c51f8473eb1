"""ChineseCLIPModel, ChineseCLIPTextModel and ChineseCLIPVisionModel."""
from __future__ import annotations

from typing import Any

import numpy as np

from . import _native
from ._arrays import any_torch, binary_mask, floats, integers, returned
from ._frameworks import is_torch_tensor
from ._model_base import PreTrainedModel
from ._towers import run_text, run_vision, wanted_outputs
from .configuration import ChineseCLIPConfig, ChineseCLIPTextConfig, ChineseCLIPVisionConfig
from .outputs import ChineseCLIPOutput

_TOWER_OUTPUTS = _native.OUTPUT_LAST_HIDDEN_STATE | _native.OUTPUT_POOLER


class _Switches:
    """output_attentions, output_hidden_states and return_dict of a call, or the configuration's."""

    def __init__(self, config: Any, attentions: bool | None, hidden_states: bool | None, return_dict: bool | None) -> None:
        self.attentions = config.output_attentions if attentions is None else attentions
        self.hidden_states = config.output_hidden_states if hidden_states is None else hidden_states
        self.return_dict = config.use_return_dict if return_dict is None else return_dict

    def outputs(self, others: int) -> int:
        return wanted_outputs(self.hidden_states, self.attentions, others)


class ChineseCLIPTextModel(PreTrainedModel):
    """The text tower alone: encoder, or with config.is_decoder a decoder."""

    config_class = ChineseCLIPTextConfig

    def __init__(self, config: ChineseCLIPTextConfig, add_pooling_layer: bool = True, **kwargs: Any) -> None:
        if getattr(config, "add_cross_attention", False) and not config.is_decoder:
            raise ValueError(f"{type(self).__name__} should be used as a decoder model if cross attention is added")
        super().__init__(config, add_pooling_layer=add_pooling_layer, **kwargs)
        self._pools = add_pooling_layer

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        pools = kwargs.pop("add_pooling_layer", True)
        model = super().from_pretrained(*args, **kwargs)
        model._pools = pools
        return model

    @classmethod
    def _own_part(cls, checkpoint: Any, options: dict[str, Any]) -> Any:
        return checkpoint.tower("text")

    def forward(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        head_mask: Any = None,
        inputs_embeds: Any = None,
        encoder_hidden_states: Any = None,
        encoder_attention_mask: Any = None,
        past_key_values: Any = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> Any:
        switches = _Switches(self.config, output_attentions, output_hidden_states, return_dict)
        caches = self.config.is_decoder and (self.config.use_cache if use_cache is None else use_cache)
        others = _native.OUTPUT_LAST_HIDDEN_STATE | (_native.OUTPUT_POOLER if self._pools else 0)
        result = run_text(
            self._session, self.config, switches.outputs(others | (_native.OUTPUT_CACHE if caches else 0)),
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids, position_ids=position_ids,
            head_mask=head_mask, inputs_embeds=inputs_embeds, encoder_hidden_states=encoder_hidden_states,
            encoder_attention_mask=encoder_attention_mask, past_key_values=past_key_values,
        )
        return result.output() if switches.return_dict else result.as_tuple()


class ChineseCLIPVisionModel(PreTrainedModel):
    """The image tower alone."""

    config_class = ChineseCLIPVisionConfig
    main_input_name = "pixel_values"

    @classmethod
    def _own_part(cls, checkpoint: Any, options: dict[str, Any]) -> Any:
        return checkpoint.tower("vision")

    def forward(
        self,
        pixel_values: Any = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        interpolate_pos_encoding: bool = False,
    ) -> Any:
        """With interpolate_pos_encoding pictures may have another size than config.image_size."""
        switches = _Switches(self.config, output_attentions, output_hidden_states, return_dict)
        result = run_vision(self._session, switches.outputs(_TOWER_OUTPUTS), pixel_values, interpolate_pos_encoding)
        return result.output() if switches.return_dict else result.as_tuple()

    def prune_heads(self, heads_to_prune: dict[int, list[int]]) -> None:
        raise NotImplementedError("prune_heads: heads of the text tower can be pruned, those of the image tower not")


class ChineseCLIPModel(PreTrainedModel):
    """Both towers and the projections into one space."""

    config_class = ChineseCLIPConfig
    base_model_prefix = "chinese_clip"

    def _set_up(self, *args: Any) -> None:
        super()._set_up(*args)
        # What the encode path computes: an encoder with absolute positions.
        text = self.config.text_config
        self._type_vocabulary = text.type_vocab_size
        self._plain_text = not text.is_decoder and text.position_embedding_type == "absolute"

    def _text_config(self) -> Any:
        return self.config.text_config

    @property
    def text_model(self) -> ChineseCLIPTextModel:
        """The text tower as a model of its own, with its own threads."""
        model = ChineseCLIPTextModel.__new__(ChineseCLIPTextModel)
        model._set_up(self.config.text_config, self._checkpoint.tower("text"), self._dtype, self._threads, self._device, self._plan)
        model._pools = False
        return model

    @property
    def vision_model(self) -> ChineseCLIPVisionModel:
        """The image tower as a model of its own, with its own threads."""
        model = ChineseCLIPVisionModel.__new__(ChineseCLIPVisionModel)
        model._set_up(self.config.vision_config, self._checkpoint.tower("vision"), self._dtype, self._threads, self._device, self._plan)
        return model

    def get_text_features(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        head_mask: Any = None,
        inputs_embeds: Any = None,
    ) -> Any:
        """[batch, projection_dim], not normalised. The switches change nothing, as in the reference."""
        if input_ids is not None and position_ids is None and head_mask is None and inputs_embeds is None and self._plain_text:
            features = self._encode_rows(input_ids, attention_mask, token_type_ids)
            if features is not None:
                return features
        result = run_text(
            self._session, self.config.text_config, _native.OUTPUT_FEATURES, input_ids=input_ids,
            attention_mask=attention_mask, token_type_ids=token_type_ids, position_ids=position_ids, head_mask=head_mask,
            inputs_embeds=inputs_embeds,
        )
        return result.one("features")

    def _encode_rows(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
        """By the faster path; None when the mask says more than where each row ends."""
        mask = types = None
        if attention_mask is not None:
            mask = attention_mask if _is_int64(attention_mask) else binary_mask(attention_mask)
            if mask is None:
                return None
        ids = input_ids if _is_int64(input_ids) else integers(input_ids, "input_ids")
        if ids is None or ids.ndim != 2 or (mask is not None and mask.shape != ids.shape):
            return None
        if token_type_ids is not None:
            types = token_type_ids if _is_int64(token_type_ids) else integers(token_type_ids, "token_type_ids")
            if types is None or types.shape != ids.shape:
                return None
        features = self._session.encode_rows(ids, mask, types, self._type_vocabulary)
        as_torch = is_torch_tensor(input_ids) or is_torch_tensor(attention_mask) or is_torch_tensor(token_type_ids)
        return returned(features, as_torch)

    def get_image_features(
        self,
        pixel_values: Any = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> Any:
        """[batch, projection_dim], not normalised. The switches change nothing, as in the reference."""
        if pixel_values is None:
            raise ValueError("You have to specify pixel_values")
        pixels = floats(pixel_values, "pixel_values")
        assert pixels is not None
        features = self._session.encode_pixels(pixels)
        return returned(features, is_torch_tensor(pixel_values))

    def forward(
        self,
        input_ids: Any = None,
        pixel_values: Any = None,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        return_loss: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> Any:
        """Similarities of every picture with every text, times exp(logit_scale)."""
        switches = _Switches(self.config, output_attentions, output_hidden_states, return_dict)
        as_torch = any_torch(input_ids, pixel_values, attention_mask, token_type_ids, position_ids)
        outputs = switches.outputs(_TOWER_OUTPUTS | _native.OUTPUT_EMBEDS)
        vision = run_vision(self._session, outputs, pixel_values)
        text_config = self.config.text_config
        caches = text_config.is_decoder and text_config.use_cache
        text = run_text(
            self._session, text_config, outputs | (_native.OUTPUT_CACHE if caches else 0), input_ids=input_ids,
            attention_mask=attention_mask, token_type_ids=token_type_ids, position_ids=position_ids,
        )
        text_embeds, image_embeds = text.array("embeds"), vision.array("embeds")
        logits_per_text = self._session.logits(text_embeds, image_embeds)
        loss = np.float32(_native.contrastive_loss(logits_per_text)) if return_loss else None
        logits = (logits_per_text.T, logits_per_text, text_embeds, image_embeds)
        values = tuple(returned(value, as_torch) for value in logits)
        if not switches.return_dict:
            last, _, *rest = text.as_tuple()
            output = (*values, (last, *rest), vision.as_tuple())
            return output if loss is None else (returned(loss, as_torch), *output)
        return ChineseCLIPOutput(returned(loss, as_torch), *values, text.output(), vision.output())


def _is_int64(value: Any) -> bool:
    return type(value) is np.ndarray and value.dtype == np.int64 and value.flags.c_contiguous
