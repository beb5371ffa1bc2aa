"""What the builders refuse, and that the error says what to do instead."""

import pytest

from tfgans.networks import (
    dcgan_discriminator,
    dcgan_generator,
    mlp_discriminator,
    mlp_generator,
    resnet_discriminator,
    resnet_generator,
)

BAD = [
    ({"image_shape": (7, 8, 1)}, r"`image_shape` must be .* 8 to 128 pixels.*\(7, 8, 1\).*Resize"),
    ({"image_shape": (8, 129, 1)}, "8 to 128 pixels a side"),
    ({"image_shape": (8, 8, 5)}, "1 to 4 channels"),
    ({"image_shape": (8, 8)}, "`image_shape` must be a tuple of 3 positive integers"),
    ({"image_shape": 8}, "`image_shape` must be a tuple of 3 positive integers"),
    ({"depth": 4}, "`depth` must be at most 3 for a smaller side of 8 pixels.*Received: 4"),
    ({"depth": 0}, "`depth` must be an integer of at least 1"),
    ({"width": 0}, "`width` must be an integer of at least 1. Received: 0"),
    ({"normalization": "instance"}, "`normalization` must be one of 'none', 'batch', 'layer'"),
    ({"seed": -1}, "`seed` must be an integer of at least 0"),
    ({"num_classes": 1}, "`num_classes` must be an integer of at least 2. Received: 1"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_image_networks_refuse(arguments, message):
    arguments = {"image_shape": (8, 8, 1), **arguments}
    image_shape = arguments.pop("image_shape")
    for builder in (dcgan_generator, dcgan_discriminator, resnet_generator, resnet_discriminator):
        with pytest.raises(ValueError, match=message):
            builder(image_shape, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data_shape": (2, 0)}, "`data_shape` must be a tuple of positive integers"),
        ({"width": 0}, "`width` must be an integer of at least 1"),
        ({"depth": 0}, "`depth` must be an integer of at least 1"),
        ({"normalization": "Batch"}, "`normalization` must be one of.*Received: 'Batch'"),
        ({"activation": "swish"}, "`activation` must be one of 'relu', 'leaky_relu', 'tanh'"),
        ({"seed": -1}, "`seed` must be an integer of at least 0"),
        ({"num_classes": 1}, "`num_classes` must be an integer of at least 2. Received: 1"),
    ],
)
@pytest.mark.parametrize("builder", [mlp_generator, mlp_discriminator])
def test_mlp_refuses(builder, arguments, message):
    arguments = {"data_shape": (2,), **arguments}
    with pytest.raises(ValueError, match=message):
        builder(arguments.pop("data_shape"), **arguments)


@pytest.mark.parametrize(
    ("image_shape", "depth", "message"),
    [
        (
            (33, 32, 1),
            None,
            r"multiples of 2\*\*depth = 2: each of the 1 .*Received: \(33, 32, 1\)",
        ),
        (
            (32, 36, 3),
            3,
            r"= 8: each of the 3 .*depth=3\. Resize the images, say to \(32, 32\), or",
        ),
        ((100, 128, 1), 4, r"= 16: .*say to \(96, 128\), or take a smaller depth"),
        ((28, 28, 1), 4, r"say to \(32, 32\)"),
    ],
)
@pytest.mark.parametrize("builder", [resnet_generator, resnet_discriminator])
def test_resnets_say_which_sizes_fit(builder, image_shape, depth, message):
    with pytest.raises(ValueError, match=message):
        builder(image_shape, depth=depth)


def test_generators_refuse_an_empty_latent_and_an_unknown_output():
    for builder in (mlp_generator, dcgan_generator, resnet_generator):
        with pytest.raises(ValueError, match="`latent_dim` must be an integer of at least 1"):
            builder((8, 8, 1), latent_dim=0)
    with pytest.raises(ValueError, match="`output_activation` must be one of 'auto', 'linear'"):
        mlp_generator((2,), output_activation="sigmoid")
