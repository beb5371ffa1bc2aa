"""Runs SavedModels by TensorFlow's C API, without TensorFlow's Python, and with XLA off.

python c_api.py LIBRARIES JOBS.json INPUTS.npz OUTPUTS.npz

This is the loader of TensorFlow Serving. A job is {"model": FOLDER, "feeds": [TENSOR, ...],
"fetches": [TENSOR, ...]}. Feed i of job j is the array j/i, and fetch i becomes j/i. The standard
output is a JSON list with an error or null for each job.
"""

import ctypes
import functools
import json
import sys
from ctypes import c_char_p, c_int, c_int64, c_size_t, c_void_p

import numpy as np

# Numbers of TF_DataType.
DTYPES = {1: np.dtype("float32"), 3: np.dtype("int32"), 9: np.dtype("int64")}
STRING, SIZE_OF_STRING = 7, 24
POINTERS = "NewStatus NewGraph NewSessionOptions LoadSessionFromSavedModel GraphOperationByName "
POINTERS += "AllocateTensor TensorData StringGetDataPointer"


class Output(ctypes.Structure):
    _fields_ = [("operation", c_void_p), ("index", c_int)]


@functools.cache
def api(folder):
    """Loads the C API from a folder once."""
    ctypes.CDLL(f"{folder}/libtensorflow_framework.so.2", ctypes.RTLD_GLOBAL)
    library = ctypes.CDLL(f"{folder}/libtensorflow_cc.so.2", ctypes.RTLD_GLOBAL)
    for name in POINTERS.split():
        getattr(library, f"TF_{name}").restype = c_void_p
    library.TF_Message.restype, library.TF_Dim.restype = c_char_p, c_int64
    library.TF_StringGetSize.restype = c_size_t
    # tensorflow::DisableXlaCompilation(), as in TensorFlow Serving.
    library._ZN10tensorflow21DisableXlaCompilationEv()
    return library


def check(tf, status):
    if tf.TF_GetCode(status):
        raise RuntimeError(tf.TF_Message(status).decode())


@functools.cache
def load(tf, folder):
    """Returns the graph and the session of a SavedModel."""
    status, graph = c_void_p(tf.TF_NewStatus()), c_void_p(tf.TF_NewGraph())
    options, tags = c_void_p(tf.TF_NewSessionOptions()), (c_char_p * 1)(b"serve")
    session = tf.TF_LoadSessionFromSavedModel(
        options, None, folder.encode(), tags, 1, graph, None, status
    )
    check(tf, status)
    return graph, c_void_p(session)


def run(tf, model, feeds, arrays, fetches):
    """Returns the fetched arrays."""
    graph, session = load(tf, model)
    inputs, outputs = (
        (Output * len(names))(*(output(tf, graph, name) for name in names))
        for names in (feeds, fetches)
    )
    values = (c_void_p * len(feeds))(*(tensor(tf, array) for array in arrays))
    results, status = (c_void_p * len(fetches))(), c_void_p(tf.TF_NewStatus())
    feed, fetch = (inputs, values, len(feeds)), (outputs, results, len(fetches))
    tf.TF_SessionRun(session, None, *feed, *fetch, None, 0, None, status)
    check(tf, status)
    return [array(tf, c_void_p(result)) for result in results]


def output(tf, graph, name):
    operation, _, index = name.partition(":")
    return Output(tf.TF_GraphOperationByName(graph, operation.encode()), int(index))


def tensor(tf, array):
    (dtype,) = (number for number, dtype in DTYPES.items() if dtype == array.dtype)
    dims = (c_int64 * array.ndim)(*array.shape)
    made = tf.TF_AllocateTensor(dtype, dims, array.ndim, c_size_t(array.nbytes))
    ctypes.memmove(tf.TF_TensorData(c_void_p(made)), array.tobytes(), array.nbytes)
    return made


def array(tf, tensor):
    dtype, data = tf.TF_TensorType(tensor), tf.TF_TensorData(tensor)
    shape = [tf.TF_Dim(tensor, axis) for axis in range(tf.TF_NumDims(tensor))]
    count = int(np.prod(shape))
    if dtype != STRING:
        content = ctypes.string_at(data, count * DTYPES[dtype].itemsize)
        return np.frombuffer(content, DTYPES[dtype]).reshape(shape)
    texts = [c_void_p(data + SIZE_OF_STRING * index) for index in range(count)]
    values = [
        ctypes.string_at(tf.TF_StringGetDataPointer(text), tf.TF_StringGetSize(text))
        for text in texts
    ]
    return np.array(values).reshape(shape)


def main(libraries, jobs, inputs, outputs):
    results, errors = {}, []
    with open(jobs) as file, np.load(inputs) as arrays:
        for number, job in enumerate(json.load(file)):
            values = [arrays[f"{number}/{index}"] for index in range(len(job["feeds"]))]
            try:
                fetched = run(api(libraries), job["model"], job["feeds"], values, job["fetches"])
                results |= {f"{number}/{index}": value for index, value in enumerate(fetched)}
                errors.append(None)
            except RuntimeError as error:
                errors.append(str(error))
    np.savez(outputs, **results)
    print(json.dumps(errors))


if __name__ == "__main__":
    main(*sys.argv[1:])
