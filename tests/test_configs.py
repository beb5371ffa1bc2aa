"""Configs of two builds of the same model are equal where they decide its outputs."""

import tiny

import tfgans
from tfgans.configs import essential


def test_what_parts_share_is_not_known_by_its_address():
    """Keras gives an object that is serialized twice its address in memory, also within a list."""
    # Both at once, since an address may be used again.
    shared = [tfgans.augmentation.DiffAugment("translation") for _ in range(2)]
    regularizers = [
        [tfgans.regularizers.ConsistencyRegularization(augmentation=augmentation)]
        for augmentation in shared
    ]
    configs = [
        tiny.gan(
            tfgans.HingeGAN, compiled=False, augmentation=first, regularizers=rest
        ).get_config()
        for first, rest in zip(shared, regularizers, strict=True)
    ]
    assert configs[0]["regularizers"] != configs[1]["regularizers"]
    first, second = (essential(config) for config in configs)
    for name in ("augmentation", "regularizers"):
        assert first[name] == second[name]
    assert first["regularizers"][0]["config"]["augmentation"] == first["augmentation"]
