"""tfgans: GANs for TensorFlow and Keras. Train, resume, measure and serve."""

__version__ = "0.1.0"
