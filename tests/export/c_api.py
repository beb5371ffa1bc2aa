"""Runs SavedModels by TensorFlow's C API, without TensorFlow's Python, and with XLA off.

python c_api.py LIBRARIES JOBS.json INPUTS.npz OUTPUTS.npz

This is the loader of TensorFlow Serving. A job is {"model": FOLDER, "feeds": [TENSOR, ...],
"fetches": [TENSOR, ...]}. Feed i of job j is the array j/i, and fetch i becomes j/i. The standard
output is a JSON list with an error or null for each job.
"""

import ctypes
import json
import sys
from ctypes import Structure, c_char_p, c_int, c_int64, c_size_t, c_void_p

import numpy as np

# Numbers of TF_DataType.
DTYPES = {1: np.dtype("float32"), 3: np.dtype("int32"), 9: np.dtype("int64")}
STRING, SIZE_OF_STRING = 7, 24


class Output(Structure):
    _fields_ = [("operation", c_void_p), ("index", c_int)]


def load(folder):
    """Returns the C API."""
    ctypes.CDLL(f"{folder}/libtensorflow_framework.so.2", ctypes.RTLD_GLOBAL)
    api = ctypes.CDLL(f"{folder}/libtensorflow_cc.so.2", ctypes.RTLD_GLOBAL)
    for name, result in {
        "TF_NewStatus": c_void_p,
        "TF_Message": c_char_p,
        "TF_NewGraph": c_void_p,
        "TF_NewSessionOptions": c_void_p,
        "TF_LoadSessionFromSavedModel": c_void_p,
        "TF_GraphOperationByName": c_void_p,
        "TF_AllocateTensor": c_void_p,
        "TF_TensorData": c_void_p,
        "TF_Dim": c_int64,
        "TF_StringGetDataPointer": c_void_p,
        "TF_StringGetSize": c_size_t,
    }.items():
        getattr(api, name).restype = result
    # tensorflow::DisableXlaCompilation(), as in TensorFlow Serving.
    api._ZN10tensorflow21DisableXlaCompilationEv()
    return api


class Model:
    """A session of a SavedModel."""

    def __init__(self, api, folder):
        status = c_void_p(api.TF_NewStatus())
        self.api, self.graph = api, c_void_p(api.TF_NewGraph())
        tags = (c_char_p * 1)(b"serve")
        self.session = c_void_p(
            api.TF_LoadSessionFromSavedModel(
                c_void_p(api.TF_NewSessionOptions()),
                None,
                folder.encode(),
                tags,
                1,
                self.graph,
                None,
                status,
            )
        )
        self.check(status)

    def check(self, status):
        if self.api.TF_GetCode(status):
            raise RuntimeError(self.api.TF_Message(status).decode())

    def output(self, name):
        operation, _, index = name.partition(":")
        found = self.api.TF_GraphOperationByName(self.graph, operation.encode())
        return Output(found, int(index))

    def run(self, feeds, arrays, fetches):
        api, status = self.api, c_void_p(self.api.TF_NewStatus())
        inputs = (Output * len(feeds))(*map(self.output, feeds))
        values = (c_void_p * len(feeds))(*map(self.tensor, arrays))
        outputs = (Output * len(fetches))(*map(self.output, fetches))
        results = (c_void_p * len(fetches))()
        api.TF_SessionRun(
            *(self.session, None, inputs, values, len(feeds), outputs, results, len(fetches)),
            *(None, 0, None, status),
        )
        self.check(status)
        return [self.array(c_void_p(result)) for result in results]

    def tensor(self, array):
        (dtype,) = (number for number, dtype in DTYPES.items() if dtype == array.dtype)
        dims = (c_int64 * array.ndim)(*array.shape)
        size = c_size_t(array.nbytes)
        tensor = c_void_p(self.api.TF_AllocateTensor(dtype, dims, array.ndim, size))
        ctypes.memmove(self.api.TF_TensorData(tensor), array.tobytes(), array.nbytes)
        return tensor.value

    def array(self, tensor):
        api, dtype = self.api, self.api.TF_TensorType(tensor)
        shape = [api.TF_Dim(tensor, axis) for axis in range(api.TF_NumDims(tensor))]
        data = api.TF_TensorData(tensor)
        if dtype != STRING:
            size = int(np.prod(shape)) * DTYPES[dtype].itemsize
            return np.frombuffer(ctypes.string_at(data, size), DTYPES[dtype]).reshape(shape)
        texts = [c_void_p(data + SIZE_OF_STRING * index) for index in range(int(np.prod(shape)))]
        return np.array(
            [
                ctypes.string_at(api.TF_StringGetDataPointer(text), api.TF_StringGetSize(text))
                for text in texts
            ]
        ).reshape(shape)


def main(libraries, jobs, inputs, outputs):
    api, models, results, errors = load(libraries), {}, {}, []
    with open(jobs) as file, np.load(inputs) as arrays:
        for number, job in enumerate(json.load(file)):
            folder = job["model"]
            models[folder] = models.get(folder) or Model(api, folder)
            values = [arrays[f"{number}/{index}"] for index in range(len(job["feeds"]))]
            try:
                fetched = models[folder].run(job["feeds"], values, job["fetches"])
                results |= {f"{number}/{index}": value for index, value in enumerate(fetched)}
                errors.append(None)
            except RuntimeError as error:
                errors.append(str(error))
    np.savez(outputs, **results)
    print(json.dumps(errors))


if __name__ == "__main__":
    main(*sys.argv[1:])
