"""Why some memory-bound kernels move more than the least, or meet bank conflicts: what cannot be mended, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """``text`` explains the figure ``key`` of cases whose names begin with one of ``cases``, for each or one dtype."""

    key: str
    cases: tuple[str, ...]
    text: str
    dtype: str | None = None


@dataclass(frozen=True)
class Spill:
    """Why kernels of a source whose names begin so may spill; ``dtype`` None is each."""

    source: str
    kernel: str
    dtype: str | None
    text: str
    arch: str | None = None

    def fits(self, source: str, kernel: str, dtype: str | None, arch: str) -> bool:
        """Whether this is the kernel meant."""
        return (
            source == self.source
            and kernel.startswith(self.kernel)
            and self.dtype in (None, dtype)
            and self.arch in (None, arch)
        )


SPILLS: tuple[Spill, ...] = ()
"""Kernels over the budget of registers."""

_BYTES, _WAYS = "over_least", "bank_conflict_ways"

REASONS = (
    Reason(
        _BYTES,
        ("add, a", "logsumexp_backward"),
        "What is broadcast is read again for each element that it meets; on a GPU it lies in the L1 cache by then.",
    ),
    Reason(
        _BYTES,
        ("layer_norm,", "rms_norm,"),
        "Each of the blocks that fill a GPU reads weight and bias once; all but the first find them in the L2 cache.",
    ),
    Reason(
        _BYTES,
        ("layer_norm_backward", "rms_norm_backward"),
        "Each block reads the weight and leaves partial sums of its rows for the gradients of weight and bias, which a "
        "second kernel adds: a fixed number of blocks, so the longer the rows and the fewer, the larger is its share.",
    ),
    Reason(
        _BYTES,
        (
            "group_norm, 8 large",
            "group_norm_backward, 8 large",
            "batch_norm_train, large",
            "batch_norm_train, a table",
            "batch_norm_train_backward, large",
            "batch_norm_train_backward, a table",
        ),
        "More elements share a mean than a block's registers hold: they are read for the sums, then for the result.",
    ),
    Reason(
        _BYTES,
        ("softmax_backward, rows of 16384", "log_softmax_backward, rows of 16384"),
        "A row of two arrays that is longer than the registers of 1024 threads is read for the sum, and again.",
    ),
    Reason(
        _BYTES,
        ("neg, transposed",),
        "Kernels of one array take it element by element: other strides are copied first, to contiguous memory.",
    ),
    Reason(
        _BYTES,
        ("amax, of images", "amin, of images"),
        "An extremum starts from the first element of its row, which each warp reads; these rows are short.",
    ),
    Reason(
        _BYTES,
        ("cumsum, rows of 65536", "cumsum_backward, rows of 65536", "cumsum, columns", "cumsum_backward, columns"),
        "So few rows (or strips of columns) are cut into chunks that fill a GPU: sums of the chunks first, then all is "
        "read again. One pass would need blocks that wait for one another.",
    ),
    Reason(
        _BYTES,
        ("cross_entropy, 1024",),
        "Targets, losses and logsumexp, a number for each row, are accesses of their own beside 16-bit rows of 2 KiB.",
        "bfloat16",
    ),
    Reason(
        _BYTES,
        ("cross_entropy_with_gradient, 32000",),
        "A row longer than the registers of a block is read for the sum, and again for the gradient.",
    ),
    Reason(
        _BYTES,
        ("gather, random", "nll_loss", "max_pool2d_gather"),
        "Elements named at random: each comes in a sector of 32 bytes.",
    ),
    Reason(
        _BYTES,
        ("embedding_backward", "index_select_backward", "index_backward", "index_put"),
        "The indices are sorted first, so that sums have a fixed order and the last of several values wins.",
    ),
    Reason(
        _BYTES,
        ("roll, columns", "pad, a border", "pad, reflect"),
        "What is moved by a number of elements that is no whole sector touches a sector more a request.",
    ),
    Reason(
        _BYTES,
        ("pad_backward, reflect", "fold, 3 x 3"),
        "Neighbours add up elements from places that overlap, in no whole sectors; and at a border the "
        "simulator takes loads for one request that are not, for lanes skip some.",
    ),
    Reason(
        _BYTES,
        ("permutation",),
        "A radix sort of random 64-bit keys in eight passes, each of which moves keys and places.",
    ),
    Reason(
        _WAYS,
        (
            "embedding_backward",
            "index_select_backward",
            "index_backward",
            "index_put",
            "scatter_add, random",
            "permutation",
        ),
        "The radix sort's counters and its staging are indexed by digits: lanes meet at random.",
    ),
    Reason(
        _WAYS,
        ("max_pool2d, 2 x 2", "max_pool2d, 3 x 3", "max_pool2d_backward, 2 x 2", "avg_pool2d, 2 x 2"),
        "Windows begin two elements apart, so lanes read every second bank; the image comes from memory more slowly.",
    ),
    Reason(
        _WAYS,
        ("unfold, 3 x 3",),
        "None on a GPU: lanes at the border skip a load, and the simulator takes the k-th loads of all lanes for one.",
        "float32",
    ),
)


def of(case: str, dtype: str, key: str) -> Reason | None:
    """The reason stated for a figure of a row."""
    fitting = (
        each for each in REASONS if each.key == key and each.dtype in (None, dtype) and case.startswith(each.cases)
    )
    return next(fitting, None)
