"""Adam in one kernel a variable."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfgans")
class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam`, whose update of a variable is one TensorFlow kernel.

    The arguments, the state and the formula are Keras's; the result is the same up to rounding.
    Keras's own update is about twenty operations a variable, each a pass over its memory: of a
    mixture of k networks, that is the larger part of what it costs more than one network. With
    `amsgrad`, and for sparse gradients, it is Keras's update.

    Reference: Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization", section 2, the form
    with the corrected learning rate.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Moves one variable."""
        if self.amsgrad or isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        target, momentum, velocity = (
            one.value if isinstance(one, keras.Variable) else one
            for one in (variable, self._momentums[index], self._velocities[index])
        )
        beta_1, beta_2 = tf.cast(self.beta_1, target.dtype), tf.cast(self.beta_2, target.dtype)
        count = tf.cast(tf.convert_to_tensor(self.iterations.value) + 1, target.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=target.handle,
            m=momentum.handle,
            v=velocity.handle,
            beta1_power=tf.pow(beta_1, count),
            beta2_power=tf.pow(beta_2, count),
            lr=tf.cast(learning_rate, target.dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.cast(self.epsilon, target.dtype),
            grad=tf.cast(gradient, target.dtype),
            use_locking=True,
        )
