"""Differentiable operations on tensors, named and shaped as PyTorch's.

Each family's file holds, for every operation, one class with its forward and its backward.
"""

from . import methods
from .activation import elu, gelu, leaky_relu, relu, sigmoid, silu, softplus, tanh
from .attention import scaled_dot_product_attention
from .conv import conv2d
from .creation import arange, empty, eye, full, linspace, ones, ones_like, tensor, zeros, zeros_like
from .einsum import einsum
from .elementwise import (
    abs,
    add,
    clamp,
    cos,
    div,
    eq,
    exp,
    ge,
    gt,
    le,
    log,
    logical_not,
    lt,
    maximum,
    minimum,
    mul,
    ne,
    neg,
    pow,
    rsqrt,
    sign,
    sin,
    sqrt,
    sub,
    where,
)
from .embedding import embedding, gather, index_select, one_hot, scatter_add, take_along_dim
from .layout import (
    cat,
    clone,
    expand,
    flatten,
    narrow,
    pad,
    permute,
    reshape,
    split,
    squeeze,
    stack,
    transpose,
    unsqueeze,
)
from .loss import cross_entropy, mse_loss
from .matmul import bmm, linear, matmul, mm
from .norm import batch_norm
from .pool import avg_pool2d, max_pool2d
from .random import bernoulli, dropout, normal, rand, randint, randn, randperm, uniform
from .reduce import amax, amin, argmax, mean, std, sum, var
from .softmax import log_softmax, softmax

__all__ = [name for name, value in list(globals().items()) if callable(value) and not name.startswith("_")]
