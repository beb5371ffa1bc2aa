"""Packaging of tfgans. Ranges live here; the tested pins are in requirements.txt."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
INIT = ROOT / "tfgans" / "__init__.py"

setup(
    name="tfgans-keras",  # `tfgans` on PyPI is another project.
    version=re.search(r'__version__ = "(.+)"', INIT.read_text(encoding="utf-8"))[1],
    description="GANs for TensorFlow and Keras: train, resume, measure and serve",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["tfgans", "tfgans.*"]),
    package_data={
        "tfgans": [
            "py.typed",
            "*.pyi",
            "serving/server/explorer/*",
            "labs/recipes/*.flags",
        ]
    },
    entry_points={"console_scripts": ["tfgans = tfgans.cli.main:main"]},
    python_requires=">=3.11",
    install_requires=[
        "POT>=0.9.5",
        "absl-py>=2.1",
        "h5py>=3.11",
        "importlib_resources>=6",  # tensorflow-datasets imports it and does not ask for it
        "keras>=3.15,<4",
        "lazy-loader>=0.4",
        "matplotlib>=3.9",
        "numpy>=2",
        "pillow>=11",
        "psutil>=6",
        "scikit-learn>=1.5",
        "scipy>=1.15",
        "simplejpeg>=1.8",
        "tensorboard>=2.21",
        "tensorflow>=2.21,<2.22",
        "tensorflow-datasets>=4.9.10",
        "tensorflow-serving-api>=2.21,<2.22",  # the records of warm-up requests in an export
        "tqdm>=4.66",
        "urllib3>=2.2",
        "wrapt>=1.15",
    ],
    extras_require={
        "exchange": [  # ONNX and LiteRT files
            "ai-edge-litert>=2.1",
            "onnx>=1.18",
            "onnxruntime>=1.22",
            "tf2onnx>=1.16.1",
        ],
        "hf": ["datasets>=4"],  # `--dataset=hf:NAME`
        "docs": [  # make docs
            "mkdocs>=1.6,<2",
            "mkdocs-material>=9.7",
            "mkdocstrings-python>=2",
        ],
        "labs": [
            "Markdown>=3.7",
            "Pebble>=5.1",
            "pandas>=3",
            "threadpoolctl>=3.5",
        ],
        "loggers": ["mlflow>=3", "wandb>=0.20"],
        "ray": ["ray>=2.50"],
        "search": ["optuna>=4"],
        "serving": [
            "aiohttp>=3.11",  # tfgans serve
            "grpcio>=1.60",  # grpc:// addresses of the client
            "orjson>=3.10",
            "prometheus-client>=0.21",
            "tensorflow-serving-api>=2.21,<2.22",
        ],
        "test": [
            "PyYAML>=6",  # reads the manifest in serving/
            "mypy>=1.18",
            "prdc==0.2",  # an oracle, as are the next two
            "pytest>=8",
            "pytest-xdist>=3.6",
            "ruff>=0.14",
            "scikit-image>=0.24",
            "selenium>=4.30",  # the explorer in a browser
            "sybil>=10",  # runs the code blocks of the documentation
            "tensorflow-gan==2.1.0",  # only its leaf modules can be imported
        ],
    },
    classifiers=[
        "Programming Language :: Python :: 3.11",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
