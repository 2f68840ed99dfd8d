"""Number formats, several accelerators, several hosts.

Networks are built inside these blocks, since a layer takes its number format and its place from
the moment in which it is made.

Chapter: training on Colab.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from seglib.errors import SeglibError

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Build networks inside the block that multiply in 16 bits and keep their weights in 32.

    GPUs with tensor cores and TPUs multiply 16-bit numbers several times as fast; CPUs do not.
    "mixed_float16" scales the loss so that small gradients survive, "mixed_bfloat16" need not.
    Micikevicius et al., Mixed Precision Training, 2018. For export, build the network anew outside
    the block and hand the weights over, as `seglib.models.save` does.
    """
    if name not in PRECISIONS:
        raise SeglibError(f"the precision is {name!r}; use one of {', '.join(PRECISIONS)}")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextmanager
def all_devices() -> Iterator[tuple[int, int]]:
    """Build and train a network inside the block on all accelerators, of all hosts after `join`.

    Every device holds the whole network and takes its part of each batch; gradients are summed
    (data parallelism). The batch is shared out, so give a larger one: 32 for each device, and the
    learning rate with it. TensorFlow: `tf.distribute.MirroredStrategy`. JAX:
    `keras.distribution.DataParallel`.

    Yields:
        (index, count) of this process among the hosts: the `shard` of its `Batches`.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        strategy = tf.distribute.MirroredStrategy(tf.config.list_logical_devices("GPU") or None)
        with strategy.scope():
            yield 0, 1
    elif backend == "jax":
        import jax

        before = keras.distribution.distribution()
        # `Batches` are cut for each process already.
        shared = keras.distribution.DataParallel(auto_shard_dataset=False)
        keras.distribution.set_distribution(shared)
        try:
            yield jax.process_index(), jax.process_count()
        finally:
            keras.distribution.set_distribution(before)
    else:
        raise SeglibError(
            f"several devices need Keras on TensorFlow or JAX, and this is {backend}; "
            "set KERAS_BACKEND=jax before Python starts"
        )


def join(first: str | None = None, count: int | None = None, index: int | None = None) -> None:
    """Join several hosts, each running this same program, into one training (JAX only).

    Call it before anything else touches JAX. Without arguments, a job of SLURM with one task for
    each host is read from its environment.

    Args:
        first: "host:port" of the first host, the same on all.
        count: hosts.
        index: this host's number, from 0.
    """
    if keras.backend.backend() != "jax":
        raise SeglibError("several hosts need Keras on JAX; set KERAS_BACKEND=jax")
    if first is None and "SLURM_PROCID" not in os.environ:
        raise SeglibError(
            "nothing says which hosts there are; give first, count and index, or start the "
            "program with srun"
        )
    import jax

    jax.distributed.initialize(first, count, index)
