"""libtuwen.so through ctypes: what scripts/check_surface.py and the makers of goldens need of include/tuwen/."""

import ctypes
from ctypes import POINTER, c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint32, c_void_p

import numpy as np

LAST, POOLER, HIDDEN, ATTENTIONS, CACHE, FEATURES, EMBEDS = 1, 2, 4, 8, 16, 32, 64


class Error(Exception):
    pass


class LastError(ctypes.Structure):
    _fields_ = [("status", c_int32), ("message", c_char_p), ("file", c_char_p), ("field", c_char_p),
                ("expected", c_char_p), ("found", c_char_p), ("note", c_char_p)]


class Tensor(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("dtype", c_int32), ("rank", c_int32), ("shape", POINTER(c_int64)), ("data", c_void_p),
                ("size", c_size_t)]


class Array(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("data", c_void_p), ("rank", c_int32), ("reserved", c_int32), ("shape", c_int64 * 4)]


class Indices(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("rank", c_int32), ("reserved", c_int32), ("shape", c_int64 * 2)]


class TextInputs(ctypes.Structure):
    _fields_ = [("struct_size", c_uint32), ("outputs", c_uint32), ("input_ids", Indices), ("inputs_embeds", Array),
                ("token_type_ids", Indices), ("position_ids", Indices), ("attention_mask", Array), ("head_mask", Array),
                ("encoder_hidden_states", Array), ("encoder_attention_mask", Array), ("past_key_values", POINTER(Array)),
                ("past_key_value_count", c_size_t), ("timeout_seconds", c_double)]


class VisionInputs(ctypes.Structure):
    _fields_ = [("struct_size", c_uint32), ("outputs", c_uint32), ("pixel_values", Array),
                ("interpolate_pos_encoding", c_int32), ("reserved", c_int32), ("timeout_seconds", c_double)]


class Executor(ctypes.Structure):
    _fields_ = [("run", c_void_p), ("self", c_void_p)]


class SessionOptions(ctypes.Structure):
    _fields_ = [("struct_size", c_uint32), ("threads", c_int32), ("thread_source", c_int32), ("reserved", c_int32),
                ("executor", Executor), ("isa", c_char_p), ("max_rows", c_int64), ("memory_budget", c_int64)]


class Handle:
    def __init__(self, value, free, keeps=()):
        self.value, self.free, self.keeps = value, free, keeps

    def __del__(self):
        self.free(self.value)


class Library:
    def __init__(self, path):
        self.c = ctypes.CDLL(path)
        self.c.tuwen_last_error.restype = POINTER(LastError)
        self.c.tuwen_outputs_count.restype = c_size_t
        for name in ("checkpoint", "model", "session", "outputs"):
            getattr(self.c, f"tuwen_{name}_free").argtypes = [c_void_p]

    def check(self, status):
        if status != 0:
            raise Error(self.c.tuwen_last_error().contents.message.decode())

    def make(self, kind, function, *arguments, keeps=()):
        handle = c_void_p()
        self.check(function(*arguments, ctypes.byref(handle)))
        return Handle(handle, getattr(self.c, f"tuwen_{kind}_free"), keeps)

    def checkpoint(self, config, state):
        tensors = (Tensor * len(state))()
        keep = []
        for tensor, (name, value) in zip(tensors, state.items()):
            value = np.ascontiguousarray(value, dtype=np.float32).reshape(value.shape)
            shape = (c_int64 * value.ndim)(*value.shape)
            keep += [value, shape]
            tensor.name, tensor.dtype, tensor.rank, tensor.shape = name.encode(), 0, value.ndim, shape
            tensor.data, tensor.size = value.ctypes.data, value.nbytes
        config = config.encode()
        return self.make("checkpoint", self.c.tuwen_checkpoint_create, config, c_size_t(len(config)), tensors,
                         c_size_t(len(state)), None)

    def prune(self, checkpoint, heads):
        pairs = [(layer, head) for layer, some in heads.items() for head in some]
        layers, numbers = ((c_int64 * len(pairs))(*[p[i] for p in pairs]) for i in (0, 1))
        return self.make("checkpoint", self.c.tuwen_checkpoint_prune_heads, checkpoint.value, layers, numbers,
                         c_size_t(len(pairs)))

    def tower(self, checkpoint, tower):
        return self.make("checkpoint", self.c.tuwen_checkpoint_tower, checkpoint.value, c_int32(tower))

    def session_of(self, checkpoint, threads=1, max_rows=0, isa=None):
        model = self.make("model", self.c.tuwen_model_load_checkpoint, checkpoint.value, None)
        options = SessionOptions(struct_size=ctypes.sizeof(SessionOptions), threads=threads, max_rows=max_rows,
                                 isa=None if isa is None else isa.encode())
        return self.make("session", self.c.tuwen_session_create, model.value, ctypes.byref(options))

    def session(self, config, state, **options):
        return self.session_of(self.checkpoint(config, state), **options)

    def text_forward(self, session, outputs, **inputs):
        keep = []
        struct = TextInputs(struct_size=ctypes.sizeof(TextInputs), outputs=outputs)
        for name, value in inputs.items():
            if name == "past_key_values":
                arrays = [array for layer in value for array in layer]
                past = (Array * len(arrays))(*[self.array(a, keep) for a in arrays])
                struct.past_key_values, struct.past_key_value_count = past, len(arrays)
                keep.append(past)
            elif name in ("input_ids", "token_type_ids", "position_ids"):
                value = np.ascontiguousarray(value, dtype=np.int64)
                keep.append(value)
                setattr(struct, name, Indices(value.ctypes.data, value.ndim, 0, (c_int64 * 2)(*value.shape)))
            else:
                setattr(struct, name, self.array(value, keep))
        return self.outputs(self.make("outputs", self.c.tuwen_text_forward, session.value, ctypes.byref(struct)))

    def vision_forward(self, session, outputs, pixel_values, interpolate=False):
        keep = []
        struct = VisionInputs(struct_size=ctypes.sizeof(VisionInputs), outputs=outputs,
                              pixel_values=self.array(pixel_values, keep), interpolate_pos_encoding=int(interpolate))
        return self.outputs(self.make("outputs", self.c.tuwen_vision_forward, session.value, ctypes.byref(struct)))

    def array(self, value, keep):
        value = np.ascontiguousarray(value, dtype=np.float32)
        keep.append(value)
        return Array(None, value.ctypes.data, value.ndim, 0, (c_int64 * 4)(*value.shape))

    def outputs(self, handle):
        result = {}
        for index in range(self.c.tuwen_outputs_count(handle.value)):
            view = Array()
            self.check(self.c.tuwen_outputs_at(handle.value, c_size_t(index), ctypes.byref(view)))
            shape = tuple(view.shape[:view.rank])
            count = int(np.prod(shape))
            data = (ctypes.c_float * count).from_address(view.data) if count else ()
            result[view.name.decode()] = np.array(data, dtype=np.float32).reshape(shape)
        return result
