"""Layers and networks, named as PyTorch's."""

from . import init
from .activation import ELU, GELU, Dropout, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from .container import Flatten, Sequential
from .conv import Conv2d
from .linear import Linear
from .loss import CrossEntropyLoss, MSELoss
from .module import IncompatibleKeys, Module
from .norm import BatchNorm2d
from .parameter import Parameter
from .pool import AvgPool2d, MaxPool2d
from .summary import Layer, Summary
from .summary import summarize as summary

__all__ = [
    "ELU",
    "GELU",
    "AvgPool2d",
    "BatchNorm2d",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "IncompatibleKeys",
    "Layer",
    "LeakyReLU",
    "Linear",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Summary",
    "Tanh",
    "init",
    "summary",
]
