"""Spectral normalization that never writes to the kernel."""

import math

import keras
import tensorflow as tf
from keras import ops

from tfgans import checks, compat
from tfgans.types import Config

_TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
# Enough for the first forward pass: sigma of a Gaussian kernel is then low by about 1 %.
_ITERATIONS_AT_BUILD = 30


@keras.saving.register_keras_serializable(package="tfgans")
class SpectralNormalization(keras.layers.Wrapper):
    """Divides a layer's kernel by its largest singular value, so that its spectral norm is 1.

    Bounds the Lipschitz constant of a discriminator at the cost of two matrix-vector products
    per layer. It wraps the layers that `keras.layers.SpectralNormalization` wraps. Unlike that
    layer it never writes to the kernel: only the optimizer changes it, and a forward pass in a
    gradient penalty or in evaluation changes no trained weight.

    The kernel is seen as a matrix `[-1, output_channels]`:

    - Dense and convolutions: the last axis of the kernel, as in Keras.
    - Transposed convolutions: the second-to-last axis, which holds the output channels there.
    - Depthwise convolutions: the last two axes, input channels times `depth_multiplier`.
    - EinsumDense: the axes of the kernel that the output of the equation has.
    - Embedding and any other layer with a `kernel` or `embeddings`: the last axis, as in Keras.

    For grouped and depthwise convolutions the norm of this matrix is an upper bound of the norm of
    the block-diagonal matrix that the layer applies to a patch.

    The largest singular value is estimated by power iteration from a vector `u` that is stored with
    the weights. `u` moves only in training and only while the layer is trainable; the gradient
    takes the singular vectors as constants, as in the paper. Because `u` follows the kernel one
    step at a time, the estimate is too low while the kernel moves fast (by up to 14 % in a DCGAN
    trained at 1e-3), after an assignment to the kernel, and in a moving average of weights: the
    norm is then above 1 by the same factor. Loading saved weights restores `u` as well.

    The bias is not scaled and an activation of the wrapped layer is applied last. Masks pass
    through if they pass through the wrapped layer.

    Args:
        layer: A layer with a weight `kernel`, such as `keras.layers.Dense` or `Conv2D`, or
            `embeddings`, as `keras.layers.Embedding`.
        power_iterations: Int of at least 1, the iterations per training call. Default: 1.
        name: String, the layer's name, or None for a name that Keras makes.
        trainable: Boolean, whether the wrapped weights train and `u` moves. Default: True.
        dtype: Dtype policy or its name, as for every layer: inputs and outputs are cast to its
            compute dtype. `u` and the estimate are float64 if its variable dtype is float64, and
            else float32, since half precision is too coarse for the iteration. The wrapped layer
            keeps its policy. Default: the policy of the wrapped layer.

    Call arguments:
        inputs: Tensor that the wrapped layer takes.
        training: Boolean, whether to move `u`. Default: False.

    Output shape: that of the wrapped layer.

    Raises:
        ValueError: If `layer` is no layer, or has neither `kernel` nor `embeddings` (raised in
            `build` if the layer was not built before), or `power_iterations` is below 1.

    Example:

    >>> layer = SpectralNormalization(keras.layers.Dense(8))
    >>> layer(np.ones((2, 4), "float32")).shape
    TensorShape([2, 8])

    Reference: [Miyato et al. 2018](https://arxiv.org/abs/1802.05957), equation 8, Algorithm 1.
    """

    def __init__(
        self,
        layer: keras.layers.Layer,
        *,
        power_iterations: int = 1,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        if not isinstance(layer, keras.layers.Layer) or (layer.built and _kernel(layer) is None):
            raise _unwrappable(layer)
        dtype = layer.dtype_policy if dtype is None else dtype
        super().__init__(layer, name=name, trainable=trainable, dtype=dtype)
        self.power_iterations = checks.positive_int("power_iterations", power_iterations)
        self.supports_masking = layer.supports_masking

    @property
    def estimate_dtype(self) -> str:
        """The dtype of `u` and of the estimate: "float64" or "float32"."""
        return "float64" if self.variable_dtype == "float64" else "float32"

    def build(self, input_shape: tuple[int | None, ...] | None = None) -> None:
        """Builds the wrapped layer and starts `u` at its kernel's leading singular vector."""
        super().build(input_shape)
        if _kernel(self.layer) is None:
            raise _unwrappable(self.layer)
        self.vector_u = self.add_weight(
            name="vector_u",
            shape=(self._kernel_matrix().shape[-1],),
            dtype=self.estimate_dtype,
            initializer=self._leading_vector,
            trainable=False,
            autocast=False,
            # Replicas hold equal kernels, so each computes the same `u`, and the first decides for
            # all.
            aggregation="only_first_replica",
        )

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the wrapped layer's output with its kernel divided by its spectral norm."""
        matrix = self._kernel_matrix()
        # In a moving average of weights, or a rounded file, its length may be a little below 1.
        vector_u = _unit(ops.convert_to_tensor(self.vector_u))
        if training and self.trainable:
            vector_u = self._iterate(matrix, vector_u, self.power_iterations)
            self.vector_u.assign(vector_u)
        outputs = self._call_with_divided_kernel(inputs, _spectral_norm(matrix, vector_u))
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the wrapped layer's output."""
        return self.layer.compute_output_shape(input_shape)

    def compute_output_spec(
        self,
        inputs: keras.KerasTensor,
        training: bool = False,  # noqa: ARG002
    ) -> keras.KerasTensor:
        """Returns the shape of the wrapped layer's output, in the compute dtype."""
        outputs = self.layer.compute_output_spec(inputs)
        return keras.KerasTensor(outputs.shape, dtype=self.compute_dtype)

    def compute_mask(
        self, inputs: tf.Tensor, previous_mask: tf.Tensor | None = None
    ) -> tf.Tensor | None:
        """Returns the mask of the wrapped layer's output."""
        return self.layer.compute_mask(inputs, previous_mask)

    def get_config(self) -> Config:
        """Returns the constructor's arguments, the wrapped layer serialized."""
        return {**super().get_config(), "power_iterations": self.power_iterations}

    def _call_with_divided_kernel(self, inputs: tf.Tensor, norm: tf.Tensor) -> tf.Tensor:
        """Calls the wrapped layer in a scope in which its kernel reads as kernel / norm.

        Works for any layer, since it assumes nothing of its `call`. State that the layer changes,
        such as that of a random generator, is assigned after the scope.
        """
        kernel = _kernel(self.layer)
        if not isinstance(kernel, keras.Variable):
            raise ValueError(
                "The kernel of the wrapped layer must be a weight. "
                f"Received: {self.layer!r}, whose kernel is computed, as with LoRA. Wrap the layer "
                "without it"
            )
        with compat.stored_precision():
            values = [(variable, variable.value) for variable in self.layer.variables]
            divided = ops.cast(kernel.value, self.estimate_dtype) / norm
        with keras.StatelessScope([*values, (kernel, divided)], collect_losses=True) as scope:
            outputs = self.layer(inputs)
        for variable in self.layer.non_trainable_variables:
            if variable is not kernel:
                variable.assign(scope.get_current_value(variable))
        for loss in scope.losses:
            self.add_loss(loss)
        return outputs

    def _kernel_matrix(self) -> tf.Tensor:
        """Returns the kernel as a matrix [-1, output_channels], in the dtype of the estimate."""
        with compat.stored_precision():
            kernel = ops.cast(_kernel(self.layer), self.estimate_dtype)
        outputs = _output_axes(self.layer, len(kernel.shape))
        inputs = [axis for axis in range(len(kernel.shape)) if axis not in outputs]
        columns = math.prod(kernel.shape[axis] for axis in outputs)
        return ops.reshape(ops.transpose(kernel, [*inputs, *outputs]), (-1, columns))

    def _leading_vector(self, shape: tuple[int, ...], dtype: str) -> tf.Tensor:
        start = keras.random.normal(shape, dtype=dtype, seed=0)
        start = start / ops.sqrt(ops.sum(ops.square(start)))
        return self._iterate(self._kernel_matrix(), start, _ITERATIONS_AT_BUILD)

    @staticmethod
    def _iterate(matrix: tf.Tensor, vector_u: tf.Tensor, iterations: int) -> tf.Tensor:
        """Returns `u` after power iterations; a zero kernel, which has no direction, keeps it."""
        matrix = ops.stop_gradient(matrix)
        for _ in range(iterations):
            vector_v = _unit(ops.matmul(matrix, vector_u))
            update = _unit(ops.matmul(vector_v, matrix))
            vector_u = ops.where(ops.any(update != 0), update, vector_u)
        return vector_u


def has_kernel(layer: keras.layers.Layer) -> bool:
    """Returns whether a layer has embeddings, a kernel, or two as a separable convolution."""
    return _kernel(layer) is not None or hasattr(layer, "depthwise_kernel")


def _kernel(layer: keras.layers.Layer) -> keras.Variable | tf.Tensor | None:
    """Returns the kernel or the embeddings of a layer, or None if it has none, or none yet."""
    kernel = getattr(layer, "kernel", None)
    return getattr(layer, "embeddings", None) if kernel is None else kernel


def _output_axes(layer: keras.layers.Layer, rank: int) -> list[int]:
    """Returns the axes of a layer's kernel that index its output."""
    if isinstance(layer, _TRANSPOSED):
        return [rank - 2]
    if isinstance(layer, _DEPTHWISE):
        return [rank - 2, rank - 1]
    if isinstance(layer, keras.layers.EinsumDense):
        operands, output = layer.equation.replace(" ", "").split("->")
        kernel = operands.split(",")[1]
        return [axis for axis, letter in enumerate(kernel) if letter in output]
    return [rank - 1]


def _unwrappable(layer: keras.layers.Layer) -> ValueError:
    return ValueError(
        "`layer` must have one kernel: a weight `kernel`, as Dense and Conv2D, or `embeddings`, as "
        f"Embedding. Received: {layer!r}. Leave layers without a kernel unwrapped, and build a "
        "separable convolution of a wrapped DepthwiseConv2D and a wrapped Conv2D"
    )


def _spectral_norm(matrix: tf.Tensor, vector_u: tf.Tensor) -> tf.Tensor:
    """Returns v^T W u with u and v constant, or 1 for a zero matrix, which nothing must divide.

    v belongs to the newest u, so the value is ||W u|| in training and in inference, and constant v
    loses nothing: the gradient is exact at fixed u.
    """
    product = ops.matmul(matrix, vector_u)
    norm = ops.sum(ops.stop_gradient(_unit(product)) * product)
    return ops.where(norm > 0, norm, ops.ones_like(norm))


def _unit(vector: tf.Tensor) -> tf.Tensor:
    norm = ops.sqrt(ops.sum(ops.square(vector)))
    return vector / ops.where(norm > 0, norm, ops.ones_like(norm))
