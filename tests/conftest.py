"""Settings for all tests: one TensorFlow thread per worker, since pytest-xdist uses all cores."""

import gc
import itertools
import os
import signal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import pytest
import served
import tensorflow as tf

# A shell lets its background processes ignore SIGINT, which tests send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
# Four devices on any machine, for `tf.distribute`.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 4
)


def pytest_collection_finish():
    """Keeps the imported modules out of the garbage collections, which saves 0.2 s per test."""
    gc.collect()
    gc.freeze()


_tests = itertools.count()


@pytest.fixture(autouse=True)
def _fresh_keras_state():
    """Resets the names, the seed of weights and the dtype policy before each test."""
    # A collection takes 0.3 s once there are many graphs, so only every 100th test collects.
    keras.backend.clear_session(free_memory=next(_tests) % 100 == 0)
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session", autouse=True)
def _shared_exports(tmp_path_factory):
    """The processes of pytest-xdist share the exports of small models."""
    folder = tmp_path_factory.getbasetemp()
    served.shared_folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture
def here(monkeypatch):
    """Runs of labs and sweeps run in this process, which has TensorFlow."""
    from tfgans import engines

    def in_turn(tasks, workers, runs_of_a_process):
        return ((index, engines._measure(task)) for index, task in enumerate(tasks))

    monkeypatch.setattr(engines, "_by_processes", in_turn)
    # Seconds a run in a process as large as this one.
    monkeypatch.setattr(engines, "_forget_others", lambda seed: None)
