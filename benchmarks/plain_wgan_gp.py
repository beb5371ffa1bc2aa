"""The reference of the benchmark: WGAN-GP as in the guides of keras.io, and its kernels alone."""

from collections.abc import Callable

import keras
import tensorflow as tf

PENALTY_WEIGHT = 10.0


def adam() -> keras.optimizers.Adam:
    """Returns a new Adam of the WGAN-GP paper."""
    return keras.optimizers.Adam(1e-4, beta_1=0.0, beta_2=0.9)


def penalty(critic: keras.Model, real: tf.Tensor, fake: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    """Returns the mean of (||grad D|| - 1)^2 on the lines between real and fake."""
    points = real + alpha * (fake - real)
    with tf.GradientTape() as tape:
        tape.watch(points)
        logits = critic(points, training=True)
    gradient = tape.gradient(logits, points)
    axes = list(range(1, len(gradient.shape)))
    norm = tf.sqrt(tf.reduce_sum(tf.square(gradient), axis=axes) + 1e-12)
    return tf.reduce_mean(tf.square(norm - 1.0))


def critic_loss(
    critic: keras.Model, real: tf.Tensor, fake: tf.Tensor, alpha: tf.Tensor
) -> tf.Tensor:
    """Returns the loss of the critic."""
    gap = tf.reduce_mean(critic(fake, training=True)) - tf.reduce_mean(critic(real, training=True))
    return gap + PENALTY_WEIGHT * penalty(critic, real, fake, alpha)


class PlainWGANGP(keras.Model):
    """A `keras.Model` with a custom `train_step`, Keras optimizers and stateful draws.

    An element of the data is [critic_steps, batch, ...], so that each update of the critic sees
    fresh examples, as in the paper and in tfgans; the example on keras.io shows one batch to all.

    Args:
        generator: Built Keras model.
        critic: Built Keras model.
        critic_steps: Int.
    """

    def __init__(self, generator: keras.Model, critic: keras.Model, critic_steps: int) -> None:
        super().__init__()
        self.generator = generator
        self.critic = critic
        self.critic_steps = critic_steps
        self.built = True

    def compile(self, steps_per_execution: int = 1, *, jit_compile: bool = False) -> None:
        """Sets an Adam optimizer per network."""
        # Not Keras's "auto", which turns XLA on if there is a GPU.
        super().compile(
            optimizer=None, steps_per_execution=steps_per_execution, jit_compile=jit_compile
        )
        self.generator_optimizer, self.critic_optimizer = adam(), adam()

    def train_step(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        """Updates the critic `critic_steps` times, then the generator once."""
        batch = tf.shape(data)[1]
        latent_shape = [batch, *self.generator.input_shape[1:]]
        for index in range(self.critic_steps):
            alpha = tf.random.uniform([batch, *[1] * (len(data.shape) - 2)])
            with tf.GradientTape() as tape:
                fake = self.generator(tf.random.normal(latent_shape), training=True)
                loss = critic_loss(self.critic, data[index], fake, alpha)
            gradients = tape.gradient(loss, self.critic.trainable_weights)
            self.critic_optimizer.apply_gradients(
                zip(gradients, self.critic.trainable_weights, strict=True)
            )
        with tf.GradientTape() as tape:
            fake = self.generator(tf.random.normal(latent_shape), training=True)
            generator_loss = -tf.reduce_mean(self.critic(fake, training=True))
        gradients = tape.gradient(generator_loss, self.generator.trainable_weights)
        self.generator_optimizer.apply_gradients(
            zip(gradients, self.generator.trainable_weights, strict=True)
        )
        return {"d_loss": loss, "g_loss": generator_loss}


def kernels(
    generator: keras.Model, critic: keras.Model, critic_steps: int, batch: int
) -> tuple[Callable[..., list[tf.Tensor]], list[tf.Tensor]]:
    """Returns a function that computes every gradient of a training step, and its arguments.

    It applies none, and all arguments are drawn beforehand. Each gradient waits for the previous
    gradient, as in training. Otherwise two gradients could share the threads, and this would not be
    a lower bound.
    """
    data_shape = critic.input_shape[1:]
    reals = tf.random.uniform([critic_steps, batch, *data_shape], -1.0, 1.0)
    alphas = tf.random.uniform([critic_steps, batch, *[1] * len(data_shape)])
    latents = tf.random.normal([critic_steps + 1, batch, *generator.input_shape[1:]])

    def step(reals: tf.Tensor, alphas: tf.Tensor, latents: tf.Tensor) -> list[tf.Tensor]:
        gradients: list[tf.Tensor] = []
        done: list[tf.Tensor] = []
        for index in range(critic_steps):
            with tf.control_dependencies(done):
                fake = generator(latents[index], training=True)
                with tf.GradientTape() as tape:
                    loss = critic_loss(critic, reals[index], fake, alphas[index])
                done = tape.gradient(loss, [weight.value for weight in critic.trainable_weights])
            gradients += done
        with tf.control_dependencies(done), tf.GradientTape() as tape:
            fake = generator(latents[critic_steps], training=True)
            loss = -tf.reduce_mean(critic(fake, training=True))
            gradients += tape.gradient(
                loss, [weight.value for weight in generator.trainable_weights]
            )
        return gradients

    return step, [reals, alphas, latents]


def bare_step(
    generator: keras.Model, critic: keras.Model, critic_steps: int, batch: int
) -> Callable[[], list[tf.Tensor]]:
    """Returns a compiled function without arguments of the `kernels`."""
    step, arguments = kernels(generator, critic, critic_steps, batch)
    compiled = tf.function(step, autograph=False)
    return lambda: compiled(*arguments)


class KernelsUnderFit(keras.Model):
    """The `kernels` as a `train_step`: what they cost with the data and the loop of `fit`.

    Args:
        generator: Built Keras model.
        critic: Built Keras model.
        critic_steps: Int.
        batch: Int.
    """

    def __init__(
        self, generator: keras.Model, critic: keras.Model, critic_steps: int, batch: int
    ) -> None:
        super().__init__()
        self._kernels, self._arguments = kernels(generator, critic, critic_steps, batch)
        critics = critic_steps * critic.trainable_variables
        # TensorFlow leaves out what is neither returned nor stored.
        self._gradients = [tf.Variable(weight.value) for weight in critics]
        self._gradients += [tf.Variable(weight.value) for weight in generator.trainable_variables]
        self.built = True

    def train_step(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        """Computes and stores every gradient once the data are there."""
        with tf.control_dependencies([data]):
            arguments = [tf.identity(argument) for argument in self._arguments]
        for variable, gradient in zip(self._gradients, self._kernels(*arguments), strict=True):
            variable.assign(gradient)
        return {"updates": tf.constant(len(self._gradients))}
