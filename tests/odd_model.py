"""A SavedModel with signatures that no export of tfgans has."""

import tensorflow as tf


def save(folder):
    """Saves functions of various types and shapes."""
    f32, f64, text = tf.float32, tf.float64, tf.string

    def spec(dtype, shape, name):
        return tf.TensorSpec(shape, dtype, name)

    def refuse(x):
        with tf.control_dependencies([tf.debugging.assert_non_negative(x, "not negative")]):
            return {"y": tf.identity(x)}

    signatures = {
        "serving_default": (lambda x: {"y": x / 2.0 + 2.0}, [spec(f32, [None], "x")]),
        "two": (
            lambda a, b: {"sum": a + b, "difference": a - b},
            [spec(f32, [None], "a"), spec(f32, [None], "b")],
        ),
        "matrix": (lambda matrix: {"y": 1.0 * matrix}, [spec(f32, [None, None, 2], "matrix")]),
        "uneven": (lambda x: {"all": 1.0 * x, "first": x[:1]}, [spec(f32, [None], "x")]),
        "total": (lambda x: {"y": tf.reduce_sum(x)}, [spec(f32, [None], "x")]),
        "scalar": (lambda x: {"y": 2.0 * x}, [spec(f32, [], "x")]),
        "no_inputs": (lambda: {"y": tf.constant([1.0])}, []),
        "double": (lambda x: {"y": tf.identity(x)}, [spec(f64, [None], "x")]),
        "bfloat16_input": (
            lambda x: {"y": tf.cast(x, f32)},
            [spec(tf.bfloat16, [None], "x")],
        ),
        "bfloat16_output": (lambda x: {"y": tf.cast(x, tf.bfloat16)}, [spec(f32, [None], "x")]),
        "uint16_input": (lambda x: {"y": tf.cast(x, f32)}, [spec(tf.uint16, [None], "x")]),
        "uint16_output": (lambda x: {"y": tf.cast(x, tf.uint16)}, [spec(f32, [None], "x")]),
        "half_output": (lambda x: {"y": tf.cast(x, tf.float16)}, [spec(f32, [None], "x")]),
        "half_input": (lambda x: {"y": tf.cast(x, f32)}, [spec(tf.float16, [None], "x")]),
        "text": (lambda text: {"y": tf.identity(text)}, [spec(text, [None], "text")]),
        "scalar_text": (lambda text: {"y": tf.identity(text)}, [spec(text, [], "text")]),
        "file": (lambda text: {"y_bytes": tf.identity(text)}, [spec(text, [None], "text")]),
        "any_rank": (lambda x: {"y": tf.identity(x)}, [spec(f32, None, "x")]),
        "refusing": (refuse, [spec(f32, [None], "x")]),
        "bool": (lambda x: {"y": tf.identity(x)}, [spec(tf.bool, [None], "x")]),
    }
    for dtype in ("int8", "uint8", "int16", "int32", "int64", "uint32", "uint64"):
        signatures[dtype] = (
            lambda x: {"y": tf.identity(x)},
            [spec(tf.as_dtype(dtype), [None], "x")],
        )
    module = tf.Module()
    module.functions = {
        name: tf.function(function, input_signature=specs, autograph=False)
        for name, (function, specs) in signatures.items()
    }
    tf.saved_model.save(module, str(folder), signatures=module.functions)
