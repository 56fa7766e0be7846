"""The network that foretells frames."""

from __future__ import annotations

from typing import Any

from pyneural import nn
from pyneural.functional import cat, leaky_relu, pad, sigmoid, softmax, stack, tanh, unfold, zeros
from pyneural.tensor import Tensor

from .motion import KINDS

CHANNELS = 24
GUESSES = KINDS
PAST = 2  # what the two mixtures were of the last frame, before it was known
KNOWN = 4  # frames that a motion needs to be seen
SLOPE = 0.1
GAIN = 8.0  # differences of frames are small beside the frames
NEAR = 9  # pixels of the last frame, around each


class Predictor(nn.Module):
    """(N, T, 1 + GUESSES + PAST, H, W) -> (N, T, H, W): after each frame the next one; H and W are even.

    A convolutional gated recurrent unit (Ballas et al. 2016, with the reset after the convolution) at half the size;
    from its state come the weights of a blend at each pixel, positive and of sum 1, and a small correction.
    """

    def __init__(self, device: Any, dtype: Any) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        c = CHANNELS
        self.whole = nn.Linear(GUESSES + PAST, c, **made)
        self.head = nn.Conv2d(1 + GUESSES + PAST, c, 4, stride=2, padding=1, **made)
        self.drive = nn.Conv2d(c, 3 * c, 3, padding=1, **made)
        self.state = nn.Conv2d(c, 3 * c, 3, padding=1, bias=False, **made)
        self.join = nn.Conv2d(2 * c, c, 3, padding=1, **made)
        self.out = nn.ConvTranspose2d(c, NEAR + GUESSES + 1, 2, stride=2, **made)

    def forward(self, maps: Tensor) -> Tensor:
        count, times, channels, height, width = maps.shape
        flat = maps.reshape(count * times, channels, height, width)
        frame, guesses = flat[:, :1], flat[:, 1 : 1 + GUESSES]
        differences = GAIN * (flat[:, 1:] - frame)
        whole = self.whole(differences.abs().mean(dim=(2, 3))).reshape(count * times, CHANNELS, 1, 1)
        seen = leaky_relu(self.head(cat([frame - 0.5, differences], dim=1)) + whole, SLOPE)
        drive = self.drive(seen).reshape(count, times, 3, CHANNELS, height // 2, width // 2)
        told = leaky_relu(self.join(cat([self._states(drive), seen], dim=1)), SLOPE)
        out = self.out(told)
        near = unfold(pad(frame, (1, 1, 1, 1), mode="replicate"), 3).reshape(count * times, NEAR, height, width)
        weights = softmax(out[:, :-1], dim=1)
        foretold = (weights * cat([near, guesses], dim=1)).sum(dim=1) + out[:, -1] / GAIN
        return foretold.reshape(count, times, height, width)  # type: ignore[no-any-return]

    def _states(self, drive: Tensor) -> Tensor:
        """(N, T, 3, C, H, W) -> (N T, C, H, W)."""
        count, times, _, *shape = drive.shape
        state = zeros((count, *shape), device=drive.device, dtype=drive.dtype)
        states = []
        for t in range(times):
            keep, reset, new = (drive[:, t, part] for part in range(3))
            held = self.state(state).reshape(count, 3, *shape)
            keep, reset = sigmoid(keep + held[:, 0]), sigmoid(reset + held[:, 1])
            new = tanh(new + reset * held[:, 2])
            state = new + keep * (state - new)
            states.append(state)
        return stack(states, dim=1).reshape(count * times, *shape)  # type: ignore[no-any-return]
