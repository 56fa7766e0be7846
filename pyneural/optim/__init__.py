"""Optimizers: each step is one fused kernel call for all parameters that can share it."""

from pyneural.nn.utils import clip_grad_norm_, clip_grad_value_

from . import lr_scheduler
from .adam import Adam, AdamW
from .ema import EMA
from .optimizer import Optimizer
from .rmsprop import RMSprop
from .sgd import SGD

__all__ = ["EMA", "SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "clip_grad_norm_", "clip_grad_value_", "lr_scheduler"]
