"""One worker of a cluster, for test_cluster.py: trains and tells what it ended with.

python cluster_worker.py RUN_DIR STEPS [WORKER_THAT_DIES STEP]
"""

# ruff: noqa: E402 (the strategy must be made before TensorFlow runs anything)

import hashlib
import os
import signal
import sys
from pathlib import Path

# Beside other workers on two cores.
os.environ["OMP_NUM_THREADS"] = "1"

import tfgans

kind = "multi_worker" if "TF_CONFIG" in os.environ else "default"
strategy = tfgans.training.make_strategy(kind)

import keras
import numpy as np
import tensorflow as tf

from tfgans import networks, random
from tfgans.cli.local_cluster import TRY_AGAIN


class Dies(keras.callbacks.Callback):
    """Kills the process, once."""

    def on_train_batch_end(self, batch, logs=None):
        marker = Path(run_dir).with_name("died")
        if self.model.step == int(sys.argv[4]) and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)


run_dir, steps = sys.argv[1], int(sys.argv[2])
worker = tfgans.training.cluster.Cluster(strategy)
index = 0 if worker.is_chief else 1
with strategy.scope():
    source = tfgans.data.load("ring", seed=1)
    gan = tfgans.WGANGP(
        networks.mlp_generator((2,), latent_dim=2, width=8, depth=1, seed=1),
        networks.mlp_discriminator((2,), width=8, depth=1, seed=2),
        instance_noise=tfgans.layers.InstanceNoise(0.1, schedule="constant"),
        discriminator_steps=1,
        ema=0.9,
    )
    gan.compile()
if sys.argv[3:4] == [str(index)]:
    # In every process the callbacks of the run are ours to choose only at the chief.
    fit = gan.fit
    gan.fit = lambda *given, callbacks, **options: fit(
        *given, callbacks=[*callbacks, Dies()], **options
    )
try:
    tfgans.training.Run(
        run_dir, gan, source, steps=steps, batch_size=16, steps_per_epoch=10, backup_every=10
    ).train()
except tfgans.training.WorkerLost as lost:
    # As `tfgans train` does.
    sys.stderr.write(f"error: {lost}\n")
    sys.exit(TRY_AGAIN)


def digest(arrays):
    return hashlib.sha256(b"".join(np.asarray(one).tobytes() for one in arrays)).hexdigest()[:16]


key = random.key(1, 2)
own = strategy.run(tf.function(lambda: random.normal([8, 2], key)))
rows = strategy.experimental_local_results(own)[0]
print(f"\nworker {index}: weights {digest(gan.get_weights())} noise {digest([rows])}", flush=True)
