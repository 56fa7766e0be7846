"""Training on several processes and machines: MPI moves what lies in host memory, NCCL what lies in GPUs'.

``mpiexec -n 4 python -m pyneural.distributed SCRIPT`` runs a script on four ranks; see docs/distributed.md.
"""

from .batch_norm import SyncBatchNorm, convert_sync_batchnorm
from .checkpoint import load_checkpoint, save_checkpoint
from .collectives import all_gather, all_reduce, barrier, broadcast, reduce_scatter
from .group import (
    ProcessGroup,
    current,
    get_rank,
    get_world_size,
    init,
    is_initialized,
    own_random,
    rank_seed,
    report_step,
)
from .parallel import DistributedDataParallel
from .sampler import DistributedSampler
from .work import RankLost
from .zero import ZeroRedundancyOptimizer

__all__ = [
    "DistributedDataParallel",
    "DistributedSampler",
    "ProcessGroup",
    "RankLost",
    "SyncBatchNorm",
    "ZeroRedundancyOptimizer",
    "all_gather",
    "all_reduce",
    "barrier",
    "broadcast",
    "convert_sync_batchnorm",
    "current",
    "get_rank",
    "get_world_size",
    "init",
    "is_initialized",
    "load_checkpoint",
    "own_random",
    "rank_seed",
    "reduce_scatter",
    "report_step",
    "save_checkpoint",
]
